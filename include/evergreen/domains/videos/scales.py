"""The scales a version's card spans: scores, strata, calibrated chances, of one value at a time. Nothing to import, so that a worker starts fast."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

NAN = math.nan
STEPS = 40
"""Of a distribution: quantiles every 2.5 %."""
EVERY_CATEGORY = "*"
STRATA = ("new_channel", "known_channel", "frequent_channel")
FREQUENT = 5.0
CLIP = 1e-6


def share_below(log_views: float, table: Sequence[float]) -> float:
    """Share [0, 1] of a category's videos with fewer views, interpolated in its quantile table."""
    above = bisect_right(table, log_views)
    if above == 0:
        return 0.0
    if above == len(table):
        return 1.0
    low, high = table[above - 1], table[above]
    return (above - 1 + (log_views - low) / (high - low)) / STEPS


def stratum_of(channel_videos: float) -> str:
    """How much of the channel is known decides most of a prediction's error."""
    return STRATA[2 if channel_videos >= FREQUENT else 1 if channel_videos >= 1.0 else 0]


def calibrated(chance: float, calibration: Mapping[str, Any]) -> float:
    safe = min(max(chance, CLIP), 1 - CLIP)
    return 1.0 / (1.0 + math.exp(-(calibration["slope"] * math.log(safe / (1 - safe)) + calibration["offset"])))
