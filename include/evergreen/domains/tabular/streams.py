"""Rows of a made-up table with a known truth: what changes in them, in which column and on which days. Seeded, without a clock.

Guarantee: equal arguments give equal bytes, and more `days` only add rows. Streams of equal seed and size are drawn from the same numbers,
so one of any kind equals the stationary one in every cell its truth does not name.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.domains.tabular.stream_outcomes import EASIER_MOVE, NOISE, SHARES, SPREAD, Numbers, category, expected, step, surer, turned_above

FIRST_DAY = date(2025, 1, 6)
"""A Monday."""
ONSET = 91
"""Days before the change: thirteen calm weeks to train on."""
RAMP_DAYS = 56
LEAST_FEATURES = 10
"""x1 to x8, c1 and c2."""
_SKEWED = (3, 7)
"""x4 and x8 are log-normal."""
_SHARE_LOST = 0.5


class Kind(StrEnum):
    STATIONARY = "stationary"
    SEASONAL_WEEKDAY = "seasonal_weekday"
    """x1 is higher at the weekend."""
    SEASONAL_HOUR = "seasonal_hour"
    """x2 follows the hour of the day."""
    SEASONAL_YEARLY = "seasonal_yearly"
    """x1 follows the day of the year: half a year of it drifts."""
    ABRUPT_CONCEPT = "abrupt_concept"
    """The same inputs mean another outcome from one day on."""
    GRADUAL_CONCEPT = "gradual_concept"
    IRRELEVANT_SHIFT = "irrelevant_shift"
    """x7, which has no effect, moves."""
    RAMP = "ramp"
    """x2 moves day by day, then stays there."""
    MIX_FLIP = "mix_flip"
    """The rare categories of c1 become the common ones."""
    EASIER = "easier"
    """x2 moves and outcomes become easier to predict."""
    NULL_BURST = "null_burst"
    """Half of the rows lose x3 for a week."""
    COUNTS_LOST = "counts_lost"
    """Half of the rows lose the target and x1 to x4 for three days."""

    @property
    def is_calm(self) -> bool:
        """Nothing happens that a seasonal reference does not know."""
        return self in (Kind.STATIONARY, Kind.SEASONAL_WEEKDAY, Kind.SEASONAL_HOUR, Kind.SEASONAL_YEARLY)


_USUAL_SIZE = {
    Kind.SEASONAL_WEEKDAY: 1.0,
    Kind.SEASONAL_HOUR: 1.0,
    Kind.SEASONAL_YEARLY: 1.0,
    Kind.ABRUPT_CONCEPT: 1.75,
    Kind.GRADUAL_CONCEPT: 1.75,
    Kind.IRRELEVANT_SHIFT: 1.5,
    Kind.RAMP: 2.0,
    Kind.EASIER: 0.8,
}
_LASTS = {Kind.NULL_BURST: 7, Kind.COUNTS_LOST: 3}
_MOVED = {Kind.IRRELEVANT_SHIFT: 6, Kind.RAMP: 1, Kind.EASIER: 1}
_FEATURES = {
    Kind.SEASONAL_WEEKDAY: "x1",
    Kind.SEASONAL_HOUR: "x2",
    Kind.SEASONAL_YEARLY: "x1",
    Kind.IRRELEVANT_SHIFT: "x7",
    Kind.RAMP: "x2",
    Kind.MIX_FLIP: "c1",
    Kind.EASIER: "x2",
    Kind.NULL_BURST: "x3",
}


@dataclass(frozen=True)
class Truth:
    kind: Kind
    feature: str | None
    """Whose values change; None when no input does, or nothing. Of rows that lose several columns: the target."""
    first_day: date
    """Of the change, and its last day, both inclusive; of a calm stream those of the whole."""
    last_day: date
    error_factor: float = 1.0
    """Mean error of the best predictor of before (stream_outcomes) once the change is whole, over its error before: absolute error, or Brier score.
    A fitted model has an error of its own on top and sees less of a rise."""


@dataclass(frozen=True)
class _Drawn:
    """What every kind of stream of a seed is made from; one row each."""

    day: NDArray[np.int64]
    numbers: Numbers
    """(n, features - 2), standard normal."""
    hour: Numbers
    categories: Numbers
    """(n, 2), uniform."""
    noise: Numbers
    luck: Numbers
    lost: Numbers


def stream(
    kind: Kind | str,
    *,
    days: int = 182,
    per_day: int = 110 // 7,
    seed: int = 0,
    target: str = "y",
    features: int = 12,
    classification: bool = False,
    first_day: date = FIRST_DAY,
    onset: int = ONSET,
    size: float | None = None,
) -> tuple[pd.DataFrame, Truth]:
    """Rows ordered by time, one per entity: entity, at (UTC), day, x1, x2, … (x1 to x4 matter), c1 (five categories, matters), c2, the target.

    `onset`: days before the change. `size`: the error factor of a concept change and of `easier`, else how far the feature moves, in spreads.
    Raises ValueError where a change of that size cannot be made."""
    kind = Kind(kind)
    if features < LEAST_FEATURES or days < 1 or per_day < 1:
        raise ValueError(f"a stream has at least {LEAST_FEATURES} features, one day and one row a day")
    size = _USUAL_SIZE.get(kind, 1.0) if size is None else size
    drawn = _draw(days, per_day, features - 2, seed)
    grown = _grown(kind, drawn.day, onset)
    rows = _inputs(kind, drawn, grown, size, first_day)
    rows[target] = _outcomes(kind, rows, drawn, grown, size, classification)
    if kind in _LASTS:
        hit = (grown > 0) & (drawn.lost < _SHARE_LOST)
        rows.loc[hit, ["x3"] if kind is Kind.NULL_BURST else ["x1", "x2", "x3", "x4", target]] = np.nan
    return rows, _truth(kind, first_day, days, onset, size, target)


def _draw(days: int, per_day: int, numbers: int, seed: int) -> _Drawn:
    """Each day from its own generator, so that no day depends on how many follow."""
    drawn = []
    for day in range(days):
        rng = np.random.default_rng([seed, day])
        uniform = rng.random((per_day, 5))
        uniform[:, 0].sort()
        drawn.append(np.hstack([np.full((per_day, 1), day), uniform, rng.standard_normal((per_day, numbers + 1))]))
    whole = np.vstack(drawn)
    return _Drawn(
        day=whole[:, 0].astype(np.int64),
        numbers=whole[:, 7:],
        hour=whole[:, 1] * 24,
        categories=whole[:, 2:4],
        noise=whole[:, 6],
        luck=whole[:, 4],
        lost=whole[:, 5],
    )


def _grown(kind: Kind, day: NDArray[np.int64], onset: int) -> Numbers:
    """How much of the change has come by each row's day: 0 before, 1 when it is whole."""
    since = day - onset + 1
    if kind in (Kind.RAMP, Kind.GRADUAL_CONCEPT):
        return np.clip(since / RAMP_DAYS, 0.0, 1.0)
    return ((since > 0) & (since <= _LASTS.get(kind, np.inf))).astype(np.float64)


def _inputs(kind: Kind, drawn: _Drawn, grown: Numbers, size: float, first_day: date) -> pd.DataFrame:
    midnight = np.datetime64(first_day, "D") + drawn.day
    numbers = drawn.numbers.copy()
    if kind in _MOVED:
        numbers[:, _MOVED[kind]] += grown * (EASIER_MOVE if kind is Kind.EASIER else size)
    elif kind is Kind.SEASONAL_WEEKDAY:
        numbers[:, 0] += size * ((first_day.weekday() + drawn.day) % 7 >= 5)
    elif kind is Kind.SEASONAL_HOUR:
        numbers[:, 1] += size * np.sin(2 * np.pi * drawn.hour / 24)
    elif kind is Kind.SEASONAL_YEARLY:
        numbers[:, 0] += size * np.sin(2 * np.pi * (midnight - midnight.astype("datetime64[Y]")).astype(np.int64) / 365.25)
    flipped = grown > 0 if kind is Kind.MIX_FLIP else np.zeros(len(grown), dtype=bool)
    within = pd.Series(drawn.day).groupby(drawn.day).cumcount()
    table: dict[str, Any] = {
        "entity": [f"e{day:05d}-{place:04d}" for day, place in zip(drawn.day.tolist(), within.tolist(), strict=True)],
        "at": pd.Series(midnight.astype("datetime64[us]") + (drawn.hour * 3_600_000_000).astype("timedelta64[us]")).dt.tz_localize("UTC"),
        "day": midnight.astype("datetime64[us]"),
    }
    table |= {f"x{at + 1}": np.exp(SPREAD * values) if at in _SKEWED else values for at, values in enumerate(numbers.T)}
    common, rare = category(drawn.categories[:, 0], SHARES), category(drawn.categories[:, 0], SHARES[::-1])
    table |= {"c1": np.where(flipped, rare, common), "c2": category(drawn.categories[:, 1], SHARES)}
    return pd.DataFrame(table).astype({"entity": "str", "c1": "str", "c2": "str"})


def _outcomes(kind: Kind, rows: pd.DataFrame, drawn: _Drawn, grown: Numbers, size: float, classification: bool) -> Numbers:
    best = expected(rows, classification)
    factor = 1.0 + grown * (size - 1.0) if kind in (Kind.ABRUPT_CONCEPT, Kind.GRADUAL_CONCEPT, Kind.EASIER) else np.ones(len(grown))
    if not classification:
        noise = drawn.noise * NOISE
        if kind is Kind.EASIER:
            return np.asarray(best + noise * factor)
        return np.asarray(best + noise + step(factor) * np.sign(rows["x1"].to_numpy()))
    happens = drawn.luck < best
    if kind is Kind.EASIER:
        happens = np.where(drawn.lost < surer(size) * grown, best > 0.5, happens)
    elif (factor > 1).any():
        happens = np.where(rows["x1"].to_numpy() > turned_above(factor), ~happens, happens)
    return np.asarray(happens, dtype=np.float64)


def _truth(kind: Kind, first_day: date, days: int, onset: int, size: float, target: str) -> Truth:
    last = first_day + timedelta(days=days - 1)
    if kind.is_calm:
        return Truth(kind, _FEATURES.get(kind), first_day, last)
    begins = first_day + timedelta(days=onset)
    ends = begins + timedelta(days=_LASTS[kind] - 1) if kind in _LASTS else max(last, begins)
    changes_error = kind in (Kind.ABRUPT_CONCEPT, Kind.GRADUAL_CONCEPT, Kind.EASIER)
    return Truth(kind, target if kind is Kind.COUNTS_LOST else _FEATURES.get(kind), begins, ends, size if changes_error else 1.0)
