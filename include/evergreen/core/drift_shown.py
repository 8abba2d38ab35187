"""A feature's two distributions as people look at them: from profiles, in the few bars a chart has room for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from evergreen.core.drift_profile import ColumnProfile, Histogram, LabelCells, NumberCells, Profile, mixed

MOST_BARS = 12
PREDICTION = "prediction"


@dataclass(frozen=True)
class Bar:
    """Shares are of the rows whose value is known."""

    reference: float
    current: float
    label: str | None = None
    """Of a category; None: every other category."""
    low: float | None = None
    high: float | None = None
    """Of numbers: above `low`, up to and with `high`; both the same where the bar is one value. None: no bound."""


@dataclass(frozen=True)
class Step:
    """Of the cumulative distributions."""

    value: float
    reference: float
    current: float


@dataclass(frozen=True)
class Shown:
    numeric: bool
    bars: tuple[Bar, ...]
    curve: tuple[Step, ...]
    """Empty for categories."""
    unknown_reference: float
    unknown_current: float
    """Shares of all rows."""


def shown(reference: Profile, current: Profile, feature: str) -> Shown | None:
    """The reference in the current rows' mix of seasons, as they were compared. None: one side does not know the feature, or counted it into
    other cells."""
    sides = [profile.prediction if feature == PREDICTION else profile.columns.get(feature) for profile in (reference, current)]
    before, after = sides
    if before is None or after is None or before.cells != after.cells or len(before.counts) != len(after.counts):
        return None
    rows = after.rows
    left, right = mixed(before, rows), _plain(after)
    shares = _shares(left.counts), _shares(right.counts)
    cells = before.cells
    bars = _labels(cells, *shares) if isinstance(cells, LabelCells) else _numbers(cells, *shares)
    curve = () if isinstance(cells, LabelCells) else _curve(cells, *shares)
    return Shown(isinstance(cells, NumberCells), bars, curve, _unknown(left), _unknown(right))


def profile_of(body: Mapping[str, Any] | None) -> Profile | None:
    """None: not kept, or made by another method."""
    try:
        return None if body is None else Profile.from_json(body)
    except ValueError:
        return None


def _plain(column: ColumnProfile) -> Histogram:
    return Histogram(tuple(float(sum(cell)) for cell in zip(*column.counts, strict=True)), float(sum(column.nulls)))


def _shares(counts: Sequence[float]) -> list[float]:
    known = math.fsum(counts)
    return [count / known if known else 0.0 for count in counts]


def _unknown(side: Histogram) -> float:
    return side.nulls / side.n if side.n else 0.0


def _labels(cells: LabelCells, reference: Sequence[float], current: Sequence[float]) -> tuple[Bar, ...]:
    """The commonest of either side, then all others together."""
    named = sorted(zip(cells.labels, reference, current, strict=False), key=lambda bar: -max(bar[1], bar[2]))
    first, rest = named[: MOST_BARS - 1], named[MOST_BARS - 1 :]
    others = Bar(reference[-1] + math.fsum(bar[1] for bar in rest), current[-1] + math.fsum(bar[2] for bar in rest))
    bars = tuple(Bar(before, after, label) for label, before, after in first)
    return bars if others.reference + others.current == 0 else (*bars, others)


def _numbers(cells: NumberCells, reference: Sequence[float], current: Sequence[float]) -> tuple[Bar, ...]:
    """One bar per coarse cell; what lies outside of what the reference knows has bars of its own, where there is any."""
    if cells.low is None:
        return ()
    inner: dict[int, list[int]] = {}
    for at, group in enumerate(cells.groups[1:-1]):
        inner.setdefault(group, []).append(at)
    single = all(len(places) == 1 for places in inner.values())
    bars, low = [], cells.low
    for places in inner.values():
        high = cells.uppers[places[-1]]
        share = [math.fsum(side[at + 1] for at in places) for side in (reference, current)]
        bars.append(Bar(share[0], share[1], low=high if single else low, high=high))
        low = high
    below, above = Bar(reference[0], current[0], high=cells.low), Bar(reference[-1], current[-1], low=cells.uppers[-1])
    outside = [side for side in (below, above) if side.reference + side.current > 0]
    return (*[side for side in outside if side is below], *bars, *[side for side in outside if side is above])


def _curve(cells: NumberCells, reference: Sequence[float], current: Sequence[float]) -> tuple[Step, ...]:
    if cells.low is None:
        return ()
    ends = (cells.low, *cells.uppers)
    return tuple(Step(*step) for step in zip(ends, accumulate(reference[:-1]), accumulate(current[:-1]), strict=True))
