"""How likely a count is by luck alone."""

from __future__ import annotations

import math


def at_least(count: int, of: int, share: float) -> float:
    """The chance of `count` or more among `of` when each is one with chance `share` (exact binomial)."""
    if count <= share * of:
        return 1.0
    if share <= 0.0:
        return 0.0
    below = sum(math.exp(_log_choose(of, one) + one * math.log(share) + (of - one) * math.log1p(-share)) for one in range(count))
    return max(0.0, 1.0 - below)


def _log_choose(of: int, count: int) -> float:
    return math.lgamma(of + 1) - math.lgamma(count + 1) - math.lgamma(of - count + 1)
