"""Training: factors of who liked what, popularity that fades, and what is known of each movie."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from evergreen.core.errors import NotEnoughData
from evergreen.domains.movies.estimator import GainRanker
from evergreen.domains.movies.factors import Floats
from evergreen.domains.movies.names import FEATURES, GENRES, MODEL, MOVIE, TARGET, TIME, TITLE, USER, YEAR
from evergreen.ports.model import FittedModel

MIN_ROWS = 50
FACTORS = 64
"""On MovieLens' latest 100 k ratings 50 are as good and recommend fewer different movies, 80 are worse (recommender guide)."""
POPULAR_HALF_LIFE_DAYS = 365.0
"""Better than the last 180 days alike on each of three splits of the same ratings (recommender guide)."""


def fit(table: pd.DataFrame, seed: int) -> FittedModel:
    """(feature table of the training window, seed) -> estimator and card. Deterministic. Raises NotEnoughData."""
    rows = table[table[TARGET].notna()]
    users, user_at = np.unique(rows[USER].to_numpy(dtype=str), return_inverse=True)
    movies, movie_at = np.unique(rows[MOVIE].to_numpy(dtype=np.int64), return_inverse=True)
    if len(rows) < MIN_ROWS or len(users) < 2 or len(movies) < 2:
        raise NotEnoughData(f"{MODEL}: {len(rows)} positive interactions of {len(users)} users with {len(movies)} movies; {MIN_ROWS} of two each are needed")
    likes = csr_matrix((np.ones(len(rows)), (user_at, movie_at)), shape=(len(users), len(movies)))
    days = (rows[TIME].max() - rows[TIME]).dt.days.to_numpy(dtype=np.float64)
    with threadpool_limits(limits=1):
        ranker = GainRanker(FACTORS, seed).fit(likes, movies, _popularity(movie_at, days, len(movies)))
    card: dict[str, Any] = {
        "rows": len(rows),
        "users": len(users),
        "window": {"from": str(rows[TIME].min().date()), "to": str(rows[TIME].max().date())},
        "seed": seed,
        "features": {"primary": list(FEATURES)},
        "movies": {"positives": np.bincount(movie_at, minlength=len(movies)).tolist(), **_facts(rows, movies)},
    }
    return FittedModel({"primary": ranker}, card)


def _popularity(movie_at: Any, days: Floats, movies: int) -> Floats:
    counts = np.bincount(movie_at, weights=0.5 ** (days / POPULAR_HALF_LIFE_DAYS), minlength=movies)
    found: Floats = counts / counts.max()
    return found


def _facts(rows: pd.DataFrame, movies: Any) -> dict[str, list[Any]]:
    """Title, genres and year of each movie, as the newest rows that know them say."""
    newest = rows.sort_values(TIME, kind="stable").groupby(MOVIE)[[TITLE, GENRES, YEAR]].last().reindex(movies)
    years = [None if year != year else int(year) for year in newest[YEAR].tolist()]
    texts = {name: [value if isinstance(value, str) else "" for value in newest[column].tolist()] for name, column in (("titles", TITLE), ("genres", GENRES))}
    return {**texts, "years": years}
