"""What drift is: how far two distributions lie apart, whether that can be chance, and what it means for a model.

The distance of a feature is the Jensen-Shannon distance of two histograms (base 2, so 0 = equal, 1 = nothing in common) with the part
that chance alone would make taken away. It therefore means the same at 100 rows and at a million: more rows make it more certain, not larger.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from evergreen.core.severity import Severity

METHOD = "jensen_shannon"
MATERIAL = 0.25
"""Distance from which a change matters: about a population stability index of 0.35, or a mean moved by 0.6 standard deviations.
Calm weeks of real lists (110 rows of Korea, the United States, Japan against four months) reach 0.24, the break of July 2025 0.4 to 0.7."""
SIGNIFICANCE = 0.0001
"""q value below which a difference is no chance. Strict, because every model looks at every feature every week for years, and because
what is material at a hundred rows is far below it anyway; with 50 rows it takes a mean moved by about one standard deviation."""
DOUBT = 0.01
"""q value from which on a difference counts as nothing. In between the score grows with the certainty: no row more makes it jump."""
MIN_ROWS = 30
"""With fewer on either side nothing is concluded."""
MEDIUM_SCORE = 0.3

RELEVANT = 0.5
"""Of an average feature's weight: what the affected ones must hold together, or the change is none of the model's business. Together and not
each, because the weights come from the newest rows: before the break of July 2025 Korea's category weighs 0 there, and 5 to 40 % elsewhere."""

EvidenceKind = Literal["distribution", "nulls", "new_values", "out_of_range", "missing_column"]
LOSSES = frozenset({"nulls", "missing_column"})
"""Values that are not there: an issue of the data's quality, which training on it would not mend."""


@dataclass(frozen=True)
class Evidence:
    """One comparison of one feature."""

    feature: str
    kind: EvidenceKind
    distance: float
    p_value: float
    test: str
    direction: str = ""
    """For people: `lower: median 61 -> 16`, `20: 4 % -> 46 %`."""


@dataclass(frozen=True)
class Compared:
    """Everything known of one feature before it is judged together with the others."""

    feature: str
    n_reference: int
    n_current: int
    evidence: tuple[Evidence, ...] = ()
    findings: tuple[str, ...] = ()
    """Columns that could not be compared as usual: empty, constant, absent, too few rows."""
    watched: bool = True
    """False: reported, but no feature: no part of the score, never affected (predictions)."""


@dataclass(frozen=True)
class DriftResult:
    feature: str
    method: str
    kind: str
    """Which comparison speaks loudest."""
    statistic: float
    """Its distance, [0, 1]."""
    threshold: float
    direction: str
    drifted: bool
    """Significant after correction and material."""
    score: float
    """[0, 1]: 0 where it may be chance, 0.5 at the threshold, 1 where the two have nothing in common."""
    test: str
    n_reference: int
    n_current: int
    p_value: float
    q_value: float
    weight: float = 0.0
    findings: tuple[str, ...] = ()


@dataclass(frozen=True)
class DriftSummary:
    score: float
    """Importance-weighted mean of the watched features' scores."""
    results: tuple[DriftResult, ...]
    """Of the watched features, strongest first."""
    losses: tuple[DriftResult, ...]
    """Of those that lost values, or are not there at all: `drifted` where that is significant and material."""
    prediction: DriftResult | None
    n_reference: int
    n_current: int
    weighted: bool = False
    """The model's importances are known."""

    @property
    def drifted(self) -> tuple[DriftResult, ...]:
        return tuple(result for result in self.results if result.drifted)

    @property
    def affected(self) -> tuple[DriftResult, ...]:
        """What drifted, if the model would notice."""
        weight = sum(result.weight for result in self.drifted)
        return self.drifted if not self.weighted or weight * len(self.results) >= RELEVANT else ()

    @property
    def lost(self) -> tuple[DriftResult, ...]:
        return tuple(result for result in self.losses if result.drifted)

    @property
    def severity(self) -> Severity | None:
        """None: nothing is affected and nothing is said. The policy raises it on evidence."""
        if not self.affected:
            return None
        return Severity.MEDIUM if self.score > MEDIUM_SCORE else Severity.LOW


def js_distance(reference: Sequence[float], current: Sequence[float]) -> float:
    """Of two histograms of counts over the same cells, corrected for chance. 0 when either is empty.

    The divergence of two samples of one distribution over K cells is (K - 1)(1/n + 1/m) / (8 ln 2) on average (its second-order
    expansion is a chi-square statistic); that much is taken away before the root."""
    n, m = sum(reference), sum(current)
    if n <= 0 or m <= 0:
        return 0.0
    divergence, cells = 0.0, 0
    for left, right in zip(reference, current, strict=True):
        p, q = left / n, right / m
        middle = (p + q) / 2
        cells += middle > 0
        divergence += (p * math.log2(p / middle) if p > 0 else 0.0) + (q * math.log2(q / middle) if q > 0 else 0.0)
    by_chance = max(cells - 1, 0) * (1 / n + 1 / m) / (8 * math.log(2))
    return math.sqrt(min(max(divergence / 2 - by_chance, 0.0), 1.0))


def feature_score(distance: float) -> float:
    """Each further MATERIAL² of divergence halves what is left of the likeness: 0.5 at the threshold, 0.94 at twice it."""
    return 1.0 if distance >= 1.0 else 1.0 - 0.5 ** ((distance / MATERIAL) ** 2)


def certainty(q_value: float) -> float:
    """0 from DOUBT on, 1 at SIGNIFICANCE and below, in between by the logarithm."""
    if q_value <= SIGNIFICANCE:
        return 1.0
    return max(math.log(q_value / DOUBT) / math.log(SIGNIFICANCE / DOUBT), 0.0)


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """q values: the share of false alarms among all results at least as extreme, in the order given."""
    count = len(p_values)
    order = sorted(range(count), key=lambda at: p_values[at], reverse=True)
    q_values, smallest = [1.0] * count, 1.0
    for rank, at in zip(range(count, 0, -1), order, strict=True):
        smallest = min(smallest, p_values[at] * (count / rank))  # a ratio of at least 1: rounding cannot undercut p
        q_values[at] = smallest
    return q_values


def judge(compared: Iterable[Compared], weights: Mapping[str, float] | None = None) -> DriftSummary:
    """All comparisons of a report are one family of tests. `weights`: importances of the model that is watched, equal where unknown."""
    features = list(compared)
    family = [evidence for feature in features for evidence in feature.evidence]
    q_of = {id(evidence): q for evidence, q in zip(family, benjamini_hochberg([evidence.p_value for evidence in family]), strict=True)}
    watched = [feature for feature in features if feature.watched]
    share = _shares([feature.feature for feature in watched], weights)
    results = [replace(_result(feature, q_of), weight=share[feature.feature]) for feature in watched]
    losses = [_result(feature, q_of, losses=True) for feature in watched if any(evidence.kind in LOSSES for evidence in feature.evidence)]
    return DriftSummary(
        score=min(sum(result.score * result.weight for result in results), 1.0),
        results=_strongest_first(results),
        losses=_strongest_first(losses),
        prediction=next((_result(feature, q_of) for feature in features if not feature.watched), None),
        n_reference=max((feature.n_reference for feature in features), default=0),
        n_current=max((feature.n_current for feature in features), default=0),
        weighted=_is_known(weights, share),
    )


def _strongest_first(results: Iterable[DriftResult]) -> tuple[DriftResult, ...]:
    return tuple(sorted(results, key=lambda result: (-result.drifted, -result.score, -result.statistic, result.feature)))


def _result(feature: Compared, q_of: Mapping[int, float], *, losses: bool = False) -> DriftResult:
    """What the feature's drift comes to, or with `losses` what it has lost."""

    def loudness(evidence: Evidence) -> tuple[bool, float]:
        return q_of[id(evidence)] < SIGNIFICANCE, evidence.distance

    loudest = max((evidence for evidence in feature.evidence if (evidence.kind in LOSSES) is losses), key=loudness, default=None)
    if loudest is None:
        loudest = Evidence(feature.feature, "distribution", 0.0, 1.0, "none")
    q_value = q_of.get(id(loudest), 1.0)
    significant = q_value < SIGNIFICANCE
    return DriftResult(
        feature=feature.feature,
        method=METHOD,
        kind=loudest.kind,
        statistic=loudest.distance,
        threshold=MATERIAL,
        direction=loudest.direction,
        drifted=significant and loudest.distance >= MATERIAL,
        score=feature_score(loudest.distance) * certainty(q_value),
        test=loudest.test,
        n_reference=feature.n_reference,
        n_current=feature.n_current,
        p_value=loudest.p_value,
        q_value=q_value,
        findings=feature.findings,
    )


def _is_known(weights: Mapping[str, float] | None, names: Iterable[str]) -> bool:
    return any((weights or {}).get(name, 0.0) > 0 for name in names)


def _shares(names: Sequence[str], weights: Mapping[str, float] | None) -> dict[str, float]:
    known = {name: max(weights.get(name, 0.0), 0.0) for name in names} if weights else {}
    total = sum(known.values())
    if not _is_known(weights, names):
        return {name: 1 / len(names) for name in names}
    return {name: weight / total for name, weight in known.items()}
