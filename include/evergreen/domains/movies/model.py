"""A trained version as training and evaluation use it, by its estimator, and the method it must beat. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from evergreen.domains.movies.answers import HIGHEST, LOWEST, FactorHeads, MovieAnswers
from evergreen.domains.movies.factors import Factors, Floats
from evergreen.domains.movies.names import FEATURES, MOVIE, TARGET, TIME

_POPULAR_DAYS = 180


class MoviePredictor:
    def __init__(self, estimators: Mapping[str, Any], card: Mapping[str, Any]) -> None:
        self._estimator = estimators["primary"]
        answers = MovieAnswers(FactorHeads(self._estimator.factors()), card)
        self.answer, self.ranker = answers.answer, answers.ranker

    def predict(self, features: pd.DataFrame) -> Floats:
        return np.asarray(self._estimator.predict(features), dtype=np.float64)

    def interval(self, features: pd.DataFrame) -> tuple[Floats, Floats]:
        return np.full(len(features), LOWEST), np.full(len(features), HIGHEST)


def popular_factors(table: pd.DataFrame) -> Factors:
    """What was most often liked in the last 180 days of a training table, and nothing of anybody's taste; the older likes part the equal."""
    rows = table[table[TARGET].notna()]
    movies, places = np.unique(rows[MOVIE].to_numpy(dtype=np.int64), return_inverse=True)
    days = (rows[TIME].max() - rows[TIME]).dt.days.to_numpy()
    counts = np.bincount(places, weights=(days < _POPULAR_DAYS) + 1e-6, minlength=len(movies)).astype(np.float64)
    return Factors(movies, np.zeros((len(movies), 1)), counts / max(counts.max(initial=0.0), 1e-300))


def popular(table: pd.DataFrame) -> Callable[[pd.DataFrame], Floats]:
    """What a list of those would have gained."""
    ranked = popular_factors(table)
    return lambda features: ranked.gains(features.reindex(columns=list(FEATURES)).to_numpy(dtype=np.float64))
