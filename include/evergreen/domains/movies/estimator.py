"""The fitted estimator, as it is signed and as MLflow keeps it: scikit-learn's truncated SVD, and what ranking needs beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.decomposition import TruncatedSVD

from evergreen.domains.movies.factors import Factors, Floats
from evergreen.domains.movies.names import FEATURES


class GainRanker(BaseEstimator):
    """PureSVD (Cremonesi, Koren, Turrin 2010): the largest singular vectors of the matrix of users by movies, 1 where the user liked the movie."""

    def __init__(self, n_components: int = 64, random_state: int = 0) -> None:
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, likes: Any, movies: NDArray[np.int64], popularity: Floats) -> GainRanker:
        """`likes`: sparse (users, movies); movies ascending."""
        most = min(likes.shape) - 1
        self.svd_ = TruncatedSVD(n_components=max(min(self.n_components, most), 1), random_state=self.random_state).fit(likes)
        self.movies_ = movies
        self.popularity_ = popularity
        return self

    def factors(self) -> Factors:
        return Factors(self.movies_, np.ascontiguousarray(self.svd_.components_.T), self.popularity_)

    def predict(self, rows: Any) -> Floats:
        """Gains (n,) of rows of FEATURES: a frame, or a matrix in their order."""
        matrix = rows.reindex(columns=list(FEATURES)) if isinstance(rows, pd.DataFrame) else rows
        return self.factors().gains(np.asarray(matrix, dtype=np.float64))
