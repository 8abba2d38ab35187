"""Which groups do better than others, from sums alone: a small group's luck does not make it the best."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

SIDES = 1.96
"""Standard errors of a 95 % interval."""


@dataclass(frozen=True)
class Group:
    n: int
    total: float
    squares: float
    """Of the values, summed."""
    above: int
    """Values from the threshold on."""


@dataclass(frozen=True)
class Ranked:
    """`low` and `high`: 95 % interval of the mean."""

    key: int
    n: int
    mean: float
    low: float
    high: float
    share_above: float


def ranked(groups: Mapping[int, Group], *, highest: float) -> list[Ranked]:
    """Best first: by what the mean surely reaches. The values' spread is taken to be the same in all groups, so one of three videos
    that happen to agree is not believed more than one of three hundred."""
    there = {key: group for key, group in groups.items() if group.n}
    freedom = sum(group.n - 1 for group in there.values())
    within = sum(max(group.squares - group.total**2 / group.n, 0.0) for group in there.values())
    deviation = math.sqrt(within / freedom) if freedom > 0 else highest
    found = [_ranked(key, group, deviation, highest) for key, group in there.items()]
    return sorted(found, key=lambda one: (-one.low, one.key))


def _ranked(key: int, group: Group, deviation: float, highest: float) -> Ranked:
    mean, side = group.total / group.n, SIDES * deviation / math.sqrt(group.n)
    return Ranked(key, group.n, mean, max(mean - side, 0.0), min(mean + side, highest), group.above / group.n)
