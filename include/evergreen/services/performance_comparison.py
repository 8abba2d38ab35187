"""What the serving version's errors are compared with, and whether an older version would have done better on the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from evergreen.core.errors import ArtifactRefused
from evergreen.core.evaluation import Interval
from evergreen.core.performance import MIN_ROWS
from evergreen.core.relative_drop import relative_drop
from evergreen.ports.champions import DeploymentRow
from evergreen.ports.model import ModelSpec
from evergreen.ports.performance import LabelledPrediction, PerformanceReport
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
    rows: Sequence[Labelled]
    """Newest first."""
    predicted: int
    labelled: int
    targets: Sequence[int]
    last: PerformanceReport | None
    breached: bool


class Comparison:
    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry

    def baseline(self, spec: ModelSpec, serving: Serving, window: Sequence[Labelled], current: NDArray[np.float64]) -> tuple[float, Interval, str] | None:
        """(baseline error, relative drop, what it is compared with). Until stable: the previous champion on the same rows; else its own
        error on held-out rows."""
        import numpy as np

        previous = serving.deployment.previous_version
        if not serving.version.stable and previous is not None:
            theirs = self._errors_of(spec, previous, window)
            if theirs is not None:
                return float(theirs.mean()), paired(current, theirs, spec.direction), f"{spec.name}@{previous} on the same rows"
        own = np.asarray((serving.version.scorecard or {}).get("baseline_errors", []), dtype=np.float64)
        if len(own) < MIN_ROWS:
            return None
        return float(own.mean()), unpaired(current, own, spec.direction), f"its own {len(own)} held-out rows"

    def way_back(self, spec: ModelSpec, serving: Serving, window: Sequence[Labelled], current: float) -> tuple[int | None, bool]:
        """The newest stable version that was not worse on these rows, else the newest stable one and that it does not help."""
        loadable = None
        for version in serving.targets[:_TARGETS_TRIED]:
            errors = self._errors_of(spec, version, window)
            if errors is not None and relative_drop(float(errors.mean()), current, spec.direction) <= 0.0:
                return version, True
            loadable = loadable if loadable is not None or errors is None else version
        return loadable, False

    def _errors_of(self, spec: ModelSpec, version: int, window: Sequence[Labelled]) -> NDArray[np.float64] | None:
        """Another version's errors on the same rows: as it said in the shadow, else scored now from the features that were used then."""
        import numpy as np

        predicted = {at: row.shadow_predicted for at, (row, _) in enumerate(window) if row.shadow_version == version and row.shadow_predicted is not None}
        missing = [at for at in range(len(window)) if at not in predicted]
        if missing:
            try:
                predictor = self._registry.load(spec, version).predictor
            except ArtifactRefused:
                return None
            answers = predictor.answer([window[at][0].features for at in missing])
            predicted |= {at: float(answer["prediction"]) for at, answer in zip(missing, answers, strict=True)}
        return row_losses(spec, np.array([predicted[at] for at in range(len(window))]), np.array([outcome for _, outcome in window]))
