"""What checks find in a batch, before it is told: which rows it sets aside, and how bad that is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evergreen.contracts.events import QualityFinding
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


def reasons(findings: Iterable[Finding], rows: pd.DataFrame) -> Any:
    """Row by row, as an array of texts: why it is set aside."""
    import numpy as np

    found: list[list[str]] = [[] for _ in range(len(rows))]
    for finding in findings:
        for at in np.flatnonzero(finding.rows.to_numpy()).tolist():
            found[at].append(f"{finding.column}: {finding.why}")
    return np.array(["; ".join(each) for each in found], dtype=object)


def graded(findings: Iterable[Finding], total: int) -> list[tuple[Severity, QualityFinding]]:
    """As they are told of a batch of so many rows, worst first; those that concern nothing are left out."""
    told = [_graded(one, total) for one in findings if one.rows.any() or one.severity is not None]
    return sorted(told, key=lambda one: -one[0])


def _graded(finding: Finding, total: int) -> tuple[Severity, QualityFinding]:
    count = int(finding.rows.sum()) if finding.rows.any() else total
    share = count / max(total, 1) if finding.share is None else finding.share
    severity = finding.severity_at(share)
    return severity, QualityFinding(kind=finding.kind, column=finding.column, count=count, share=min(share, 1.0), detail=finding.why)
