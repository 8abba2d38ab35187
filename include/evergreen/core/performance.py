"""Which labelled predictions a performance check looks at, and whether the version has become worse."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from evergreen.core.evaluation import Interval

MIN_ROWS = 50
"""Below this many labelled predictions nothing is said."""
MIN_FRESH = 50
"""A window is looked at again only with this many new outcomes: each look is a test, and looking at every label would find something by chance."""
DROP_BOUND = 0.05
"""Degraded: even the lower 95 % bound of the relative drop is above it. (Korea: calm weeks at most .04, the week of the break .43 and more.)"""


def newest_days(days: Sequence[date], at_least: int) -> int:
    """How many of the rows, whose days are sorted newest first, the window holds: whole days, back only until there are enough."""
    count = 0
    while count < len(days) and (count < at_least or days[count] == days[count - 1]):
        count += 1
    return count


def is_degraded(drop: Interval) -> bool:
    return drop.low > DROP_BOUND
