"""What counts as an incident, whatever the data is about, and what its issues are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median

from evergreen.core.severity import Severity

BATCH_MISSING = "batch_missing"
INCIDENT_OVER = "incident_over"
INCIDENT_SHARE = 0.3
"""Of a day's rows lost or without a value. Seen in good data: at most 0.16 (comments, Japan); an incident loses half."""
HISTORY_DAYS = 28
"""Before a batch: what its days are compared with."""
LEAST_HISTORY_DAYS = 7
_FEW, _FAR_TOO_FEW, _TOO_MANY = 0.5, 0.15, 3.0


@dataclass(frozen=True)
class Volume:
    rows: int
    usual: float
    severity: Severity

    @property
    def share(self) -> float:
        return self.rows / self.usual


def volume_of(day: date, rows: int, history: Sequence[tuple[date, int]]) -> Volume | None:
    """What is wrong with the number of a day's rows; None when nothing is, or when less than a week is known to judge by. `history`: (day,
    rows) of days before. A quiet weekday is compared with its like: few is less than half of what all days and of what those weekdays have."""
    if len(history) < LEAST_HISTORY_DAYS:
        return None
    usual = float(median(count for _, count in history))
    alike = [count for other, count in history if other.weekday() == day.weekday()]
    least, most = min(usual, float(median(alike or [usual]))), max(usual, float(median(alike or [usual])))
    if rows < _FEW * least:
        return Volume(rows, least, Severity.HIGH if rows < _FAR_TOO_FEW * least else Severity.MEDIUM)
    return Volume(rows, most, Severity.HIGH) if rows > _TOO_MANY * most else None
