"""Which labelled predictions a performance check looks at, and whether the version has become worse.

Guarantee: a version that has not changed is not called degraded, however long it is looked at (ADR 19)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date

from evergreen.core.evaluation import Interval
from evergreen.core.relative_drop import Direction

MIN_ROWS = 50
"""Below this many labelled predictions nothing is said."""
MIN_FRESH = 50
"""A window is looked at again only with this many new outcomes: each look is a test, and looking at every label would find something by chance."""
BASELINE_ROWS = 1000
"""First outcomes of a version that may join its held-out rows: a hundred held-out rows alone are off by 7 %, at every look the same way."""
LOOK_ERRORS = 3.5
"""Standard errors a look must be above the bound: one of 4,300 by chance, since there are hundreds of looks at a version."""
DROP_BOUND = 0.05
"""Degraded: even the lower 95 % bound of the relative drop is above it. (Korea: calm weeks at most .04, the week of the break .43 and more.)"""


def newest_days(days: Sequence[date], at_least: int) -> int:
    """How many of the rows, whose days are sorted newest first, the window holds: whole days, back only until there are enough."""
    count = 0
    while count < len(days) and (count < at_least or days[count] == days[count - 1]):
        count += 1
    return count


def sure_drop(drop: Interval, direction: Direction = "lower") -> float:
    """What is left of the drop after LOOK_ERRORS standard errors. Those of an error ratio grow with it, so they are taken off its logarithm."""
    if direction == "higher":
        return drop.point - LOOK_ERRORS * drop.spread
    if drop.point <= -1.0:
        return -1.0
    return math.expm1(math.log1p(drop.point) - LOOK_ERRORS * drop.spread / (1.0 + drop.point))


def is_degraded(drop: Interval, direction: Direction = "lower") -> bool:
    return drop.low > DROP_BOUND and sure_drop(drop, direction) > DROP_BOUND
