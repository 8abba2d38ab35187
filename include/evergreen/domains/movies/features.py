"""Silver rows as the model's table: one row per user's first positive interaction with a movie, with what was known of the user just before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.domains.movies.names import (
    AT,
    ENTITY,
    GENRE,
    GENRE_NAMES,
    GENRES,
    HISTORY,
    MOVIE,
    POSITIVE,
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


def build_features(silver: pd.DataFrame) -> pd.DataFrame:
    rows = silver[silver["interaction"].isin(POSITIVE) | ((silver["interaction"] == RATING) & (silver["rating"] >= POSITIVE_RATING))]
    movie = rows[MOVIE].astype("float64")
    ordered = rows.assign(**{MOVIE: movie}).sort_values([AT, USER, MOVIE], kind="stable").drop_duplicates(ENTITY, keep="first").reset_index(drop=True)
    seconds = ordered[AT].astype("int64").to_numpy() / 1e6
    since, recent, length = _histories(ordered[USER], ordered[MOVIE].to_numpy(dtype=np.float64), seconds)
    made: dict[str, Any] = {
        ENTITY: ordered[ENTITY],
        TIME: ordered[TIME],
        AT: ordered[AT],
        USER: ordered[USER],
        MOVIE: ordered[MOVIE],
        SINCE_LAST: since,
        **{name: recent[:, at] for at, name in enumerate(RECENT)},
        GENRE: _main_genre(ordered[GENRES]),
        "age_years": ordered[AT].dt.year.to_numpy(dtype=np.float64) - ordered[YEAR].to_numpy(dtype=np.float64),
        "popularity": _popularity(ordered[MOVIE].to_numpy(dtype=np.float64)),
        "history_length": np.log2(1.0 + length),
        "hour": ordered[AT].dt.hour.to_numpy(dtype=np.float64),
        TARGET: np.ones(len(ordered)),
        **{name: ordered[name] for name in (TITLE, GENRES, YEAR)},
    }
    return pd.DataFrame(made)


def _histories(users: pd.Series[str], movies: NDArray[np.float64], seconds: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """(days since the one before, the HISTORY newest movies before, how many of them there are), row by row; rows are in the order of their time."""
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
    return since, recent, np.minimum(number, HISTORY).astype(np.float64)


def _popularity(movies: NDArray[np.float64]) -> NDArray[np.float64]:
    """log2(1 + how many of the last _LATELY rows before it were of the same movie): it does not grow with the table."""
    found = np.zeros(len(movies))
    for indices in pd.Series(np.arange(len(movies))).groupby(movies).indices.values():
        places = np.asarray(indices)
        found[places] = np.arange(len(places)) - np.searchsorted(places, places - _LATELY)
    return np.asarray(np.log2(1.0 + found), dtype=np.float64)


def _main_genre(genres: pd.Series[str]) -> NDArray[np.float64]:
    codes = {name: float(at) for at, name in enumerate(GENRE_NAMES)}
    first = genres.str.split("|").str[0]
    code = first.map(codes).astype("float64")
    return np.asarray(code.where(code.notna() | first.isna(), float(len(GENRE_NAMES))), dtype=np.float64)
