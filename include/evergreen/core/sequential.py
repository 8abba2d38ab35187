"""Intervals and tests that stay valid however often they are looked at.

Means: the asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic
confidence sequences", Annals of Statistics 52 (2024), theorem 2.2. It is Robbins' normal mixture with the variance estimated, the same
boundary as the mixture SPRT of Johari, Koomen, Pekelis and Walsh, "Always valid inference", Operations Research 70 (2022). Ratios of two means by
inverting it (Fieller). Group sizes: the Bayes factor of Lindon and Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022,
which is exact. One observation is one user, each counted once, in the order they came: that is what makes them independent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

ALPHA = 0.05
"""Of all looks together."""
TUNED_FOR = 10_000
"""Users at which the interval is as narrow as it can be; far from there it is wider, and valid all the same."""
MISMATCH_ALPHA = 0.001
"""Of all looks at the groups' sizes together. Small: it stops the experiment."""
MISMATCH_PRIOR = 500.0
"""Weight of the planned shares in the alternative: groups that are off by about 2 points, which is how broken splits look."""


@dataclass(frozen=True)
class Mean:
    """Of independent values in [0, 1]."""

    n: int
    total: float
    squares: float

    @property
    def point(self) -> float:
        return self.total / self.n

    @property
    def variance(self) -> float:
        """Of the mean. One 0 and one 1 more than there were are counted into it: without a single click it would be none at all."""
        n, total, squares = self.n + 2, self.total + 1, self.squares + 1
        return (squares - total * total / n) / (n - 1) / self.n


@dataclass(frozen=True)
class Bounds:
    point: float
    low: float
    high: float


def reach(n: int, alpha: float) -> float:
    """How many standard errors the interval of `n` observations goes to each side."""
    rho_squared = (-2 * math.log(ALPHA) + math.log(-2 * math.log(ALPHA) + 1)) / TUNED_FOR
    scaled = n * rho_squared + 1
    return math.sqrt(2 * scaled / (scaled - 1) * math.log(math.sqrt(scaled) / alpha))


def mean_interval(mean: Mean, alpha: float = ALPHA) -> Bounds:
    """What the values' mean can be."""
    margin = reach(mean.n, alpha) * math.sqrt(mean.variance)
    return Bounds(mean.point, max(0.0, mean.point - margin), min(1.0, mean.point + margin))


def relative_interval(control: Mean, challenger: Mean, alpha: float = ALPHA) -> Bounds | None:
    """What the challenger's mean over the control's, minus one, can be: every ratio r whose difference `challenger - r * control` may be 0.
    None: the control's own mean may be 0, so any ratio can be."""
    squared = reach(control.n + challenger.n, alpha) ** 2
    below, above = control.point, challenger.point
    leading = below * below - squared * control.variance
    if leading <= 0:
        return None
    product = below * above
    root = math.sqrt(max(0.0, product * product - leading * (above * above - squared * challenger.variance)))
    return Bounds(above / below - 1, max(0.0, (product - root) / leading) - 1, (product + root) / leading - 1)


def mismatch_evidence(counts: Sequence[int], shares: Sequence[float]) -> float:
    """How many times likelier the groups' sizes are under some other split than under the planned one, as its logarithm. It exceeds
    log(1 / MISMATCH_ALPHA) at any look with a chance of at most MISMATCH_ALPHA when the split is as planned."""
    total = sum(counts)
    evidence = math.lgamma(MISMATCH_PRIOR) - math.lgamma(MISMATCH_PRIOR + total)
    for count, share in zip(counts, shares, strict=True):
        prior = MISMATCH_PRIOR * share
        evidence += math.lgamma(prior + count) - math.lgamma(prior) - count * math.log(share)
    return evidence


def is_mismatched(counts: Sequence[int], shares: Sequence[float]) -> bool:
    return mismatch_evidence(counts, shares) >= -math.log(MISMATCH_ALPHA)
