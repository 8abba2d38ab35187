"""From a registered version to one that may answer: fetched, verified, compared with what the training job predicted, warmed.

Guarantee: whatever form answers has agreed with the training job's predictions of its golden rows in this very process. The compiled form is
made once per version, in a child process; a version without one is answered by its pipeline, slower, and only then this process imports
scikit-learn. Runs in a thread beside the event loop."""

from __future__ import annotations

import hashlib
import math
import statistics
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import structlog

from evergreen.contracts.ids import canonical_json
from evergreen.core.errors import ArtifactRefused, NotCompilable
from evergreen.ports.model import Answering, ModelSpec, Predictor, Scoring
from evergreen.ports.registry import GoldenRows, ModelRegistry
from evergreen.ports.serving import LoadedModel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOLERANCE = 1e-9
INLINE_SECONDS = 0.005
"""Above this an answer would hold up the event loop for all others: it goes to the pool instead."""
_WARM_ROUNDS = 9
log = structlog.get_logger(__name__)


class VersionLoader:
    def __init__(self, registry: ModelRegistry, specs: Mapping[str, ModelSpec]) -> None:
        self._registry = registry
        self._specs = specs

    def load(self, model: str, version: int) -> LoadedModel:
        """Raises NotFound, Unavailable (try again), ArtifactRefused."""
        spec = self._specs[model]
        try:
            answering, score, card, golden = self._compiled(spec, version)
        except NotCompilable as reason:
            log.warning("answered_by_the_pipeline", version=f"{model}@{version}", reason=str(reason))
            answering, score, card, golden = self._by_pipeline(spec, version)
        compare(score, golden, spec, f"{model}@{version}")
        seconds = warm_up(answering, golden)
        inline = seconds <= INLINE_SECONDS
        return LoadedModel(spec, version, answering, schema_hash(spec, card), score, inline, card.get("distributions", {}), usual_values(spec, card))

    def _compiled(self, spec: ModelSpec, version: int) -> tuple[Answering, Scoring, Mapping[str, Any], GoldenRows | None]:
        if spec.answers is None:
            raise NotCompilable(f"{spec.name} answers by its predictor alone")
        found = self._registry.compiled(spec, version)
        return spec.answers(found.heads, found.card), found.score, found.card, found.golden

    def _by_pipeline(self, spec: ModelSpec, version: int) -> tuple[Answering, Scoring, Mapping[str, Any], GoldenRows | None]:
        found = self._registry.load(spec, version)
        return found.predictor, pipeline_score(found.predictor, spec), found.card, found.golden


def usual_values(spec: ModelSpec, card: Mapping[str, Any]) -> dict[str, float]:
    """As far as the version's card tells them."""
    usual = {name: float(value) for name, value in card.get("medians", {}).items() if value is not None}
    shares: Mapping[str, float] = card.get("category_shares", {})
    if shares:
        usual |= {name: float(max(shares, key=lambda one: shares[one])) for name in spec.categorical_features}
    return usual


def pipeline_score(predictor: Predictor, spec: ModelSpec) -> Scoring:
    """By the pipeline itself, through a data frame."""
    import pandas as pd

    names = list(spec.feature_names)

    def score(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        return predictor.predict(pd.DataFrame(matrix, columns=names))

    return score


def compare(score: Scoring, golden: GoldenRows | None, spec: ModelSpec, name: str) -> None:
    """Raises ArtifactRefused when the loaded copy does not say what the trained model said of the golden rows."""
    if golden is None or not golden.rows:
        return
    import numpy as np

    if list(golden.columns) != list(spec.feature_names):
        raise ArtifactRefused(f"{name} was trained on other features than this release computes")
    rows = np.array([[math.nan if value is None else value for value in row] for row in golden.rows], dtype=np.float64)
    difference = np.abs(score(rows) - np.asarray(golden.predicted, dtype=np.float64))
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


def schema_hash(spec: ModelSpec, card: Mapping[str, Any]) -> str:
    described = {"names": list(spec.feature_names), "facts": list(spec.request_facts), "heads": card.get("features")}
    return hashlib.sha256(canonical_json(described)).hexdigest()[:16]
