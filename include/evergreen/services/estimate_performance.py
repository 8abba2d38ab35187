"""What the metric can be expected to be while outcomes are not known: from how uncertain the version itself was of what it predicted.

Guarantee: an estimate is called one everywhere and decides nothing. It follows a change of the inputs; that the same inputs come to mean
another outcome it cannot see, and it says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from evergreen.core.performance import MIN_ROWS, newest_days
from evergreen.ports.model import ModelSpec
from evergreen.ports.performance import AskedPrediction, PerformanceEstimate
from evergreen.ports.versions import VersionRow
from evergreen.services.bootstrap_interval import RESAMPLES, SEED
from evergreen.services.row_losses import expected_losses

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ENOUGH_COVERAGE = 0.5
"""With outcomes of half of the newest predictions or more, what is measured is told instead."""
CAVEAT = "estimated, not measured: few outcomes are known; it follows changed inputs, it cannot see that they mean something else than before"


def estimate(
    spec: ModelSpec, version: VersionRow, asked: Sequence[AskedPrediction], zone: ZoneInfo, time: datetime, action_id: UUID | None
) -> PerformanceEstimate | None:
    """Of the newest days with enough predictions. None: enough outcomes are known, or too little to estimate from. `asked`: newest first."""
    import numpy as np

    days = [row.time.astimezone(zone).date() for row in asked]
    window = asked[: newest_days(days, spec.windows.performance_rows)]
    known = sum(row.told for row in window) / len(window) if window else 0.0
    card = version.scorecard or {}
    held_out, usual = np.asarray(card.get("baseline_errors", []), dtype=np.float64), card.get("baseline_expected")
    if len(window) < MIN_ROWS or known >= ENOUGH_COVERAGE or len(held_out) < MIN_ROWS or not usual:
        return None
    predicted, lower, upper = (np.array([getattr(row, name) for row in window], dtype=np.float64) for name in ("predicted", "lower", "upper"))
    expected = expected_losses(spec, predicted, lower, upper) / float(usual)
    low, high = _interval(held_out, expected)
    estimated = float(held_out.mean() * expected.mean())
    return PerformanceEstimate(
        spec.name, version.version, days[len(window) - 1], days[0], len(window), known, estimated, low, high, float(held_out.mean()), time, action_id
    )


def told_estimate(found: PerformanceEstimate) -> dict[str, Any]:
    facts = {name: value for name, value in asdict(found).items() if name not in ("model", "version", "first_day", "last_day", "time", "action_id")}
    return {"kind": "estimated", "window": [str(found.first_day), str(found.last_day)], **facts, "caveat": CAVEAT}


def _interval(held_out: NDArray[np.float64], expected: NDArray[np.float64]) -> tuple[float, float]:
    """95 %, both sides resampled on their own."""
    import numpy as np

    random = np.random.default_rng(SEED)
    sides = [rows[random.integers(0, len(rows), size=(RESAMPLES, len(rows)))].mean(axis=1) for rows in (held_out, expected)]
    low, high = np.quantile(sides[0] * sides[1], [0.025, 0.975])
    return float(low), float(high)
