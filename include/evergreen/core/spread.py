"""From counts in fine steps to the curves people look at: how values are spread, as cumulative share and as density."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

EVERY = "*"
"""The segment of all in a reference distribution."""
GRID = 100
"""Steps of a curve at most."""
SHOWN = 0.995
"""Share of the values a curve that may be cut spreads over its grid; the rest lies in its last step."""


@dataclass(frozen=True)
class Histogram:
    """Step `n` holds values from n x width on, below (n + 1) x width; the last one also those at its end."""

    width: float
    steps: int
    counts: Mapping[int, int]
    """Of the steps with any."""

    @property
    def n(self) -> int:
        return sum(self.counts.values())

    @property
    def total(self) -> float:
        """Of all values, each taken as the middle of its step."""
        return sum((step + 0.5) * self.width * count for step, count in self.counts.items())


@dataclass(frozen=True)
class Curve:
    """All three of one length. `x` in even steps from 0."""

    x: tuple[float, ...] = ()
    cdf: tuple[float, ...] = ()
    """Share of the values up to x: from 0 to 1."""
    pdf: tuple[float, ...] = ()
    """Density at x: its area by the trapezoid rule is 1."""


def curve(found: Histogram, *, cut: bool) -> Curve:
    """`cut`: stop where SHOWN of the values are, so that a few large ones do not press the others together. Nothing from nothing."""
    n = found.n
    if n == 0:
        return Curve()
    counts = [found.counts.get(step, 0) for step in range(found.steps)]
    shown = _shown(counts, n) if cut else found.steps
    per_step = -(-shown // GRID)
    edges = -(-shown // per_step)
    merged = [sum(counts[at * per_step : (at + 1) * per_step]) for at in range(edges)]
    merged[-1] += sum(counts[edges * per_step :])
    width = per_step * found.width
    density = [count / n / width for count in merged]
    return Curve(
        x=tuple(round(at * width, 10) for at in range(edges + 1)),
        cdf=(0.0, *(reached / n for reached in accumulate(merged))),
        pdf=tuple(_between(density[max(at - 1, 0)], density[min(at, edges - 1)]) for at in range(edges + 1)),
    )


def median(found: Histogram) -> float | None:
    """To within a step."""
    n, reached = found.n, 0
    for step in sorted(found.counts):
        count = found.counts[step]
        if count and reached + count >= n / 2:
            return (step + (n / 2 - reached) / count) * found.width
        reached += count
    return None


def value_at(quantiles: Sequence[float], share: float) -> float:
    """Of quantiles in even steps from 0 to 1: the least value at which `share` of the values is reached, linear between them."""
    place = share * (len(quantiles) - 1)
    below = min(int(place), len(quantiles) - 2)
    return quantiles[below] + (place - below) * (quantiles[below + 1] - quantiles[below])


def _shown(counts: list[int], n: int) -> int:
    """The first steps that hold enough of the values."""
    return next(step for step, reached in enumerate(accumulate(counts), 1) if reached >= SHOWN * n)


def _between(one: float, other: float) -> float:
    """Mean of the density on both sides: so the trapezoid rule adds up to what the steps hold."""
    return (one + other) / 2
