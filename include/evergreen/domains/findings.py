"""What checks find in a batch, before it is told: which rows it sets aside, and how bad that is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evergreen.core.severity import Severity

if TYPE_CHECKING:
    import pandas as pd

_MEDIUM_SHARE, _HIGH_SHARE = 0.05, 0.2


@dataclass(frozen=True)
class Finding:
    kind: str
    column: str | None
    rows: pd.Series[bool]
    """Rows the finding sets aside."""
    why: str
    severity: Severity | None = None
    """None: by the share of the batch it concerns."""
    share: float | None = None

    def severity_at(self, share: float) -> Severity:
        return self.severity or (Severity.HIGH if share > _HIGH_SHARE else Severity.MEDIUM if share > _MEDIUM_SHARE else Severity.LOW)


def set_aside(findings: Iterable[Finding], rows: pd.DataFrame) -> pd.Series[bool]:
    """Rows that any of them concerns."""
    import pandas as pd

    concerned = pd.Series(False, index=rows.index)
    for finding in findings:
        concerned |= finding.rows
    return concerned
