"""A version that serves a made-up stream and is looked at every evening: the window, the baseline and the verdict are the real ones, the
tables are not there."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd

from evergreen.core.performance import BASELINE_ROWS, DROP_BOUND, LOOK_ERRORS, MIN_FRESH, is_degraded, newest_days
from evergreen.domains.tabular.streams import FIRST_DAY, Kind, stream
from evergreen.ports.champions import DeploymentRow
from evergreen.ports.performance import LabelledPrediction
from evergreen.ports.versions import VersionRow
from evergreen.services.performance_comparison import Compared, Comparison, Labelled, Serving
from tests.support.tiny import tiny_spec

TRAINED, HELD_OUT = 84, 91
"""Days of training, and of training and held-out rows together; the version serves from then on."""
WINDOW = 200
SPEC = tiny_spec("stream")
_SINCE = datetime.combine(FIRST_DAY + timedelta(days=HELD_OUT), time(), UTC)
_COMPARISON = Comparison(registry=None)  # type: ignore[arg-type]  # a stable version is compared with itself


@dataclass(frozen=True)
class Look:
    days_since: int
    """Since the onset: 6 on the evening of the seventh day."""
    window_days: int
    drop: float
    degraded: bool


def looks(kind: Kind, seed: int, *, per_day: int, weeks: int = 26, onset_week: int = 10, size: float | None = None) -> Iterator[Look]:
    """Until the first that says degraded."""
    onset = HELD_OUT + 7 * onset_week
    rows, _ = stream(kind, days=HELD_OUT + 7 * weeks, per_day=per_day, seed=seed, onset=onset, size=size)
    errors, day = _errors(rows)
    served, days = errors[day >= HELD_OUT], day[day >= HELD_OUT]
    held_out = {"baseline_errors": errors[(day >= TRAINED) & (day < HELD_OUT)].tolist()}
    version = VersionRow("stream", 1, None, "", "", "test", FIRST_DAY, FIRST_DAY, 1, _SINCE, stable=True, scorecard=held_out)
    seen = 0
    for today in range(HELD_OUT, HELD_OUT + 7 * weeks):
        known = int(np.searchsorted(days, today, side="right"))
        if known - seen < MIN_FRESH:
            continue
        seen = known
        begins = known - newest_days([FIRST_DAY + timedelta(days=int(one)) for one in days[:known][::-1][: 2 * WINDOW + per_day]], WINDOW)
        compared = _compared(version, served[begins:known], served[: min(begins, BASELINE_ROWS)])
        look = Look(today - onset, today - int(days[begins]) + 1, compared[0], compared[1])
        yield look
        if look.degraded:
            return


def found_after(kind: Kind, seed: int, *, per_day: int, size: float | None = None) -> float:
    """Days from the onset to the first look that says degraded, 1 for the evening of its first day; infinite when none does."""
    return next((look.days_since + 1.0 for look in looks(kind, seed, per_day=per_day, weeks=18, size=size) if look.degraded), math.inf)


def _compared(version: VersionRow, current: Any, first: Any) -> tuple[float, bool]:
    """What is far from the bound by arithmetic needs no resampling: within half a standard error of it the real comparison speaks."""
    own = np.asarray((version.scorecard or {})["baseline_errors"])
    baselines = [own, np.concatenate([own, first])]
    far = all(_errors_above(current, baseline) < LOOK_ERRORS - 0.5 for baseline in baselines)
    if far:
        return float(current.mean() / own.mean() - 1.0), False
    compared = _COMPARISON.baseline(SPEC, _serving(version, current, first))
    assert isinstance(compared, Compared)
    return compared.drop.point, is_degraded(compared.drop)


def _errors_above(current: Any, baseline: Any) -> float:
    spread = math.hypot(*(float(side.std() / side.mean() / math.sqrt(len(side))) for side in (current, baseline)))
    return (math.log(current.mean() / baseline.mean()) - math.log(1.0 + DROP_BOUND)) / spread


def _serving(version: VersionRow, current: Any, first: Any) -> Serving:
    deployment = DeploymentRow(uuid4(), "stream", 1, None, "promote", "confirmed", 1, None, False, "test")
    return Serving(
        version, deployment, _SINCE, _rows(current), date.min, date.min, len(current), len(current), 1.0, None, (), None, _rows(first), breached=False
    )


def _rows(errors: Any) -> list[Labelled]:
    return [(LabelledPrediction("", _SINCE, 0.0, float(error), {}, {}), float(error)) for error in errors]


def _errors(rows: pd.DataFrame) -> tuple[Any, Any]:
    """Of a linear model in what matters, fitted on the days of training."""
    day = (rows["day"] - rows["day"].iloc[0]).dt.days.to_numpy()
    numbers = [rows[name] for name in ("x1", "x2", "x5", "x6", "x7")] + [rows["x3"].abs(), np.log(rows["x4"])]
    inputs = np.column_stack([np.ones(len(rows)), *numbers, pd.get_dummies(rows["c1"], drop_first=True)]).astype(float)
    fitted = np.linalg.lstsq(inputs[day < TRAINED], rows["y"][day < TRAINED], rcond=None)[0]
    return np.abs(inputs @ fitted - rows["y"].to_numpy()), day
