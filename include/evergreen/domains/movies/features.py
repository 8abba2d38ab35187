"""Silver rows as the model's table: one row per user's first positive interaction with a movie, with what was known of the user just before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.core.recommending import POSITIVE
from evergreen.domains.movies.names import (
    AT,
    ENTITY,
    GENRE,
    GENRE_NAMES,
    GENRES,
    HISTORY,
    MOVIE,
    POSITIVE_RATING,
    RATING,
    RECENT,
    SINCE_LAST,
    TARGET,
    TIME,
    TITLE,
    USER,
    YEAR,
)

_LATELY = 2000
"""Positive interactions of everybody a movie's popularity is counted over."""
_DAY = 86_400.0
_NEW = 28.0
_LATEST = 10


def build_features(silver: pd.DataFrame) -> pd.DataFrame:
    rows = silver[silver["interaction"].isin(POSITIVE) | ((silver["interaction"] == RATING) & (silver["rating"] >= POSITIVE_RATING))]
    movie = rows[MOVIE].astype("float64")
    ordered = rows.assign(**{MOVIE: movie}).sort_values([AT, USER, MOVIE], kind="stable").drop_duplicates(ENTITY, keep="first").reset_index(drop=True)
    seconds = ordered[AT].astype("int64").to_numpy() / 1e6
    movies = ordered[MOVIE].to_numpy(dtype=np.float64)
    since, recent = _histories(ordered[USER], movies, seconds)
    genre = _main_genre(ordered[GENRES])
    made: dict[str, Any] = {
        ENTITY: ordered[ENTITY],
        TIME: ordered[TIME],
        AT: ordered[AT],
        USER: ordered[USER],
        MOVIE: ordered[MOVIE],
        SINCE_LAST: since,
        **{name: recent[:, at] for at, name in enumerate(RECENT)},
        GENRE: genre,
        "popularity": _popularity(movies),
        "days_known": _days_known(movies, seconds),
        "in_taste": _in_taste(movies, recent, genre),
        TARGET: np.ones(len(ordered)),
        **{name: ordered[name] for name in (TITLE, GENRES, YEAR)},
    }
    return pd.DataFrame(made)


def _histories(users: pd.Series[str], movies: NDArray[np.float64], seconds: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """(days since the one before, the HISTORY newest movies before), row by row; rows are in the order of their time."""
    by_user = np.argsort(users.astype("category").cat.codes.to_numpy(), kind="stable")
    number = users.groupby(users, sort=False).cumcount().to_numpy()
    before = np.empty(len(users), dtype=np.intp)  # place in the users' order
    before[by_user] = np.arange(len(users))
    recent = np.full((len(users), HISTORY), np.nan)
    for back in range(1, HISTORY + 1):
        has = number >= back
        recent[has, back - 1] = movies[by_user[before[has] - back]]
    since = np.full(len(users), np.nan)
    has = number >= 1
    since[has] = (seconds[has] - seconds[by_user[before[has] - 1]]) / _DAY
    return since, recent


def _popularity(movies: NDArray[np.float64]) -> NDArray[np.float64]:
    """log2(1 + how many of the last _LATELY rows before it were of the same movie): it does not grow with the table."""
    found = np.zeros(len(movies))
    for indices in pd.Series(np.arange(len(movies))).groupby(movies).indices.values():
        places = np.asarray(indices)
        found[places] = np.arange(len(places)) - np.searchsorted(places, places - _LATELY)
    return np.asarray(np.log2(1.0 + found), dtype=np.float64)


def _days_known(movies: NDArray[np.float64], seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Since anybody first chose the movie, at most _NEW: how much of what is chosen is new. When the record begins everything would be: what is
    first chosen in its first _NEW days counts as old."""
    first = pd.Series(seconds).groupby(movies).transform("min").to_numpy()
    was_there = first < (seconds[0] if len(seconds) else 0.0) + _NEW * _DAY
    return np.where(was_there, _NEW, np.minimum((seconds - first) / _DAY, _NEW))


def _in_taste(movies: NDArray[np.float64], recent: NDArray[np.float64], genre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the user's _LATEST movies before that have the same main genre; NaN without any."""
    known, first = np.unique(movies, return_index=True)
    latest = recent[:, :_LATEST]
    at = np.searchsorted(known, np.nan_to_num(latest, nan=known[0] if len(known) else 0.0))
    theirs = np.where(np.isnan(latest), np.nan, genre[first][at])
    there = np.isfinite(theirs).sum(axis=1)
    alike = (theirs == genre[:, None]).sum(axis=1)
    return np.where(there > 0, alike / np.maximum(there, 1), np.nan)


def _main_genre(genres: pd.Series[str]) -> NDArray[np.float64]:
    codes = {name: float(at) for at, name in enumerate(GENRE_NAMES)}
    first = genres.str.split("|").str[0]
    code = first.map(codes).astype("float64")
    return np.asarray(code.where(code.notna() | first.isna(), float(len(GENRE_NAMES))), dtype=np.float64)
