"""How much worse, as a share: the one definition that monitoring, gates and segments use."""

from __future__ import annotations

import math
from typing import Literal

Direction = Literal["lower", "higher"]
"""Which values of a metric are better."""


def relative_drop(current: float, baseline: float, direction: Direction = "lower") -> float:
    """By what share of the baseline `current` is worse; below zero it is better. +0.2: an error 20 % larger, or a score 20 % smaller.

    NaN where there is no such share: a baseline that is not above zero, a number that is not finite. NaN passes no gate and alarms nobody."""
    if not (math.isfinite(current) and math.isfinite(baseline) and baseline > 0.0):
        return math.nan
    change = current / baseline - 1.0
    return change if direction == "lower" else -change
