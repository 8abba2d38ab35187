"""The movie recommender's `ModelSpec`: everything the loop knows about it. Light to import; numpy and pandas come with the first call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from evergreen.domains.movies.names import DATASET, ENTITY, FEATURES, GENRE, MODEL, TARGET, TIME, WATCHED, number_of
from evergreen.ports.model import ArrayForm, FittedModel, GateThresholds, ModelSpec, Predictor, Trivial, Windows

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from evergreen.domains.movies.answers import FactorHeads, MovieAnswers
    from evergreen.ports.model import Heads

TRUSTED_TYPES = frozenset({"evergreen.domains.movies.estimator.GainRanker", "numpy.dtype"})
WINDOWS = Windows(evaluation_days=28, full_window_days=365, min_change_rows=1_000, performance_rows=500)
"""A gain is 0 for nineteen rows of twenty, so that it takes many to tell two versions apart."""


def movie_spec() -> ModelSpec:
    return ModelSpec(
        name=MODEL,
        datasets=(DATASET,),
        entity_column=ENTITY,
        time_column=TIME,
        target=TARGET,
        metric="ndcg_at_10",
        direction="higher",
        feature_names=FEATURES,
        categorical_features=(GENRE,),
        drift_features=WATCHED,
        label_of=label_of,
        build_features=_build_features,
        fit=_fit,
        predictor=_predictor,
        baseline=_popular,
        baseline_name="popular",
        trusted_types=TRUSTED_TYPES,
        windows=WINDOWS,
        gates=GateThresholds(min_rows=100, min_improvement=0.02, interval_coverage=(1.0, 1.0)),
        answers=_answers,
        form=ArrayForm(build="evergreen.domains.movies.compiling:build", heads=_heads),
        request_row=_request_row,
        losses=_gained,
        expected_losses=lambda predicted, _lower, _upper: predicted,
    )


def label_of(outcome: Mapping[str, Any]) -> float:
    """1 where the user chose the movie, from feedback such as `{"relevant": 1}`. Raises ValueError."""
    said = outcome.get(TARGET)
    if said not in (0, 1):
        raise ValueError(f"{TARGET} must be 1 (chosen) or 0, not {said!r}")
    return float(said)


def _request_row(request: Mapping[str, Any]) -> dict[str, float]:
    return {name: value for name in FEATURES if name in request and (value := number_of(request[name])) == value}


def _gained(predicted: NDArray[np.float64], outcomes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Whose mean over chosen movies is the NDCG@10 of lists with one right answer each."""
    gained: NDArray[np.float64] = predicted * outcomes
    return gained


def _build_features(silver: pd.DataFrame) -> pd.DataFrame:
    from evergreen.domains.movies.features import build_features

    return build_features(silver)


def _fit(table: pd.DataFrame, seed: int) -> FittedModel:
    from evergreen.domains.movies.train import fit

    return fit(table, seed)


def _predictor(estimators: Mapping[str, Any], card: Mapping[str, Any]) -> Predictor:
    from evergreen.domains.movies.model import MoviePredictor

    return MoviePredictor(estimators, card)


def _popular(table: pd.DataFrame) -> Trivial:
    from evergreen.domains.movies.model import popular

    return popular(table)


def _answers(heads: Heads, card: Mapping[str, Any]) -> MovieAnswers:
    from evergreen.domains.movies.answers import MovieAnswers

    return MovieAnswers(heads, card)


def _heads(arrays: Mapping[str, NDArray[Any]], card: Mapping[str, Any]) -> FactorHeads:
    from evergreen.domains.movies.answers import heads

    return heads(arrays, card)
