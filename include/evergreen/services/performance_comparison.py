"""What the serving version's errors are compared with, and whether an older version would have done better on the same rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from evergreen.core.errors import ArtifactRefused
from evergreen.core.evaluation import Interval
from evergreen.core.performance import MIN_ROWS, sure_drop
from evergreen.core.relative_drop import relative_drop
from evergreen.ports.champions import DeploymentRow
from evergreen.ports.model import ModelSpec
from evergreen.ports.performance import AskedPrediction, LabelledPrediction, PerformanceReport
from evergreen.ports.registry import ModelRegistry
from evergreen.ports.versions import VersionRow
from evergreen.services.bootstrap_interval import paired, unpaired
from evergreen.services.row_losses import row_losses

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TARGETS_TRIED = 3
Labelled = tuple[LabelledPrediction, float]
"""With the outcome in the target's units."""


@dataclass(frozen=True)
class Serving:
    """The champion at the time of the check, and what came true of its predictions."""

    version: VersionRow
    deployment: DeploymentRow
    since: datetime
    window: Sequence[Labelled]
    """The newest, back by whole days only until there are enough; newest first."""
    first_day: date | None
    last_day: date | None
    """Of the window; None when it is empty."""
    predicted: int
    labelled: int
    """Entities since it serves."""
    coverage: float
    """Share of the window's predicted entities whose outcome is known."""
    replaced: int | None
    """The champion it was promoted over."""
    targets: Sequence[int]
    last: PerformanceReport | None
    first: Sequence[Labelled]
    """The oldest since it serves, none of the window's days, none from a degraded window on: how it did in calm days."""
    breached: bool
    asked: Sequence[AskedPrediction] = ()
    """Its newest predictions, whether outcomes are known or not; newest first."""


@dataclass(frozen=True)
class Compared:
    current: float
    baseline: float
    drop: Interval
    against: str
    """What with, in words."""


class Comparison:
    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry

    def baseline(self, spec: ModelSpec, serving: Serving) -> Compared | None:
        """Until stable: the champion it was promoted over, on the same rows; else its own losses on rows it was not trained on.
        None: nothing to compare with, or with nothing above zero."""

        current = _losses(spec, [row.predicted for row, _ in serving.window], serving.window)
        if not serving.version.stable and serving.replaced is not None:
            theirs = self._losses_of(spec, serving.replaced, serving.window)
            if theirs is not None:
                return _sound(current, theirs, paired(current, theirs, spec.direction), f"{spec.name}@{serving.replaced} on the same rows")
        return _against_own(spec, serving, current)

    def way_back(self, spec: ModelSpec, serving: Serving, current: float) -> tuple[int | None, bool]:
        """The newest stable version that was not worse on these rows, else the newest stable one and that it does not help."""
        loadable = None
        for version in serving.targets[:_TARGETS_TRIED]:
            theirs = self._losses_of(spec, version, serving.window)
            if theirs is not None and relative_drop(float(theirs.mean()), current, spec.direction) <= 0.0:
                return version, True
            loadable = loadable if loadable is not None or theirs is None else version
        return loadable, False

    def _losses_of(self, spec: ModelSpec, version: int, window: Sequence[Labelled]) -> NDArray[np.float64] | None:
        """Another version's losses on the same rows: as it said in the shadow, else scored now from the features that were used then."""
        predicted = {at: row.shadow_predicted for at, (row, _) in enumerate(window) if row.shadow_version == version and row.shadow_predicted is not None}
        missing = [at for at in range(len(window)) if at not in predicted]
        if missing:
            try:
                predictor = self._registry.load(spec, version).predictor
            except ArtifactRefused:
                return None
            answers = predictor.answer([window[at][0].features for at in missing])
            predicted |= {at: float(answer["prediction"]) for at, answer in zip(missing, answers, strict=True)}
        return _losses(spec, [predicted[at] for at in range(len(window))], window)


def _against_own(spec: ModelSpec, serving: Serving, current: NDArray[np.float64]) -> Compared | None:
    """Against its held-out rows, and against those with its first outcomes: the one that says more. The larger baseline sees smaller drops;
    the held-out rows alone see what was worse from the beginning."""
    import numpy as np

    own = np.asarray((serving.version.scorecard or {}).get("baseline_errors", []), dtype=np.float64)
    if len(own) < MIN_ROWS:
        return None
    held_out = f"its own {len(own)} held-out rows"
    found = [_sound(current, own, unpaired(current, own, spec.direction), held_out)]
    if len(serving.first) >= MIN_ROWS:
        both = np.concatenate([own, _losses(spec, [row.predicted for row, _ in serving.first], serving.first)])
        found.append(_sound(current, both, unpaired(current, both, spec.direction), f"{held_out} and first {len(serving.first)} outcomes"))
    return max((one for one in found if one is not None), key=lambda one: sure_drop(one.drop, spec.direction), default=None)


def _losses(spec: ModelSpec, predicted: Sequence[float], window: Sequence[Labelled]) -> NDArray[np.float64]:
    import numpy as np

    return row_losses(spec, np.array(predicted, dtype=np.float64), np.array([outcome for _, outcome in window], dtype=np.float64))


def _sound(current: NDArray[np.float64], baseline: NDArray[np.float64], drop: Interval, against: str) -> Compared | None:
    if not all(map(math.isfinite, (drop.point, drop.low, drop.high))):
        return None
    return Compared(float(current.mean()), float(baseline.mean()), drop, against)
