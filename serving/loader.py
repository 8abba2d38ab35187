"""From a registered version to one that may answer: fetched, verified, compared with what the training job predicted, warmed.

Runs in a thread beside the event loop. The seam for a compiled form: whatever has `answer` and passes the same comparison."""

from __future__ import annotations

import hashlib
import importlib
import statistics
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from evergreen.contracts.envelope import canonical_json
from evergreen.core.errors import ArtifactRefused
from evergreen.ports.model import ModelSpec, Predictor
from evergreen.ports.registry import GoldenRows, LoadedVersion, ModelRegistry
from evergreen.ports.serving import Answering, LoadedModel, Scoring

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOLERANCE = 1e-9
INLINE_SECONDS = 0.005
"""Above this an answer would hold up the event loop for all others: it goes to the pool instead."""
_WARM_ROUNDS = 9


def preload() -> None:
    """Imports what any version is built with. On a busy machine that alone takes many of the thirty seconds a promotion waits for a worker."""
    for name in ("pandas", "sklearn.ensemble", "skops.io"):
        importlib.import_module(name)


class VersionLoader:
    def __init__(self, registry: ModelRegistry, specs: Mapping[str, ModelSpec]) -> None:
        self._registry = registry
        self._specs = specs

    def load(self, model: str, version: int) -> LoadedModel:
        """Raises NotFound, Unavailable (try again), ArtifactRefused."""
        spec = self._specs[model]
        found = self._registry.load(spec, version)
        compare(found, f"{model}@{version}")
        seconds = warm_up(found.predictor, found.golden)
        return LoadedModel(spec, version, found.predictor, schema_hash(spec, found), pipeline_score(found.predictor, spec), inline=seconds <= INLINE_SECONDS)


def pipeline_score(predictor: Predictor, spec: ModelSpec) -> Scoring:
    """By the pipeline itself, through a data frame."""
    import pandas as pd

    names = list(spec.feature_names)

    def score(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        return predictor.predict(pd.DataFrame(matrix, columns=names))

    return score


def compare(found: LoadedVersion, name: str) -> None:
    """Raises ArtifactRefused when the loaded copy does not say what the trained model said of the golden rows."""
    if found.golden is None or not found.golden.rows:
        return
    import numpy as np
    import pandas as pd

    rows = pd.DataFrame([list(row) for row in found.golden.rows], columns=list(found.golden.columns), dtype="float64")
    difference = np.abs(found.predictor.predict(rows) - np.asarray(found.golden.predicted, dtype=np.float64))
    if not bool((difference <= TOLERANCE).all()):
        raise ArtifactRefused(f"{name} differs from its training by up to {float(difference.max()):.3g} on its own golden rows")


def warm_up(answering: Answering, golden: GoldenRows | None) -> float:
    """Answers a few requests, an empty one first; returns the usual seconds of one."""
    requests: list[dict[str, float]] = [{}]
    if golden is not None:
        requests += [{name: value for name, value in zip(golden.columns, row, strict=True) if value is not None} for row in golden.rows[:_WARM_ROUNDS]]
    seconds = []
    for request in requests:
        begun = time.perf_counter()
        answering.answer([request])
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


def schema_hash(spec: ModelSpec, found: LoadedVersion) -> str:
    described = {"names": list(spec.feature_names), "facts": list(spec.request_facts), "heads": found.card.get("features")}
    return hashlib.sha256(canonical_json(described)).hexdigest()[:16]
