"""Names and numbers the movie domain shares. Standard library alone: every process imports it."""

from __future__ import annotations

from typing import Any

from evergreen.core.recommending import DATASET, HISTORY, MODEL, USER_COLUMN

__all__ = ["DATASET", "HISTORY", "MODEL"]
_NAN = float("nan")
ENTITY, TIME, AT, TARGET = "interaction_id", "day", "at", "relevant"
"""The entity is one user's first positive interaction with one movie: `user:movie`."""
RECENT = tuple(f"recent_{number}" for number in range(1, HISTORY + 1))
"""Newest first, as numbers; NaN = none."""
MOVIE, SINCE_LAST = "movie_id", "since_last"
FEATURES = (MOVIE, SINCE_LAST, *RECENT)
GENRE = "genre"
WATCHED = (GENRE, "popularity", "days_known", "in_taste")
"""Columns of a row for drift alone: what is chosen, how well known it is, and how far it is like what the same user chose before. Not the hour or
the movie's age, which a few users' evenings fill, nor the length of histories, which grows."""
TITLE, GENRES, YEAR, USER = "title", "genres", "year", USER_COLUMN

SILVER: dict[str, str] = {
    TIME: "datetime64[us]",
    AT: "datetime64[us, UTC]",
    ENTITY: "str",
    USER: "str",
    MOVIE: "str",
    "interaction": "str",
    "rating": "float64",
    "source": "str",
    TITLE: "str",
    GENRES: "str",
    YEAR: "float64",
}
"""With their pandas types. A movie's title, genres (`Comedy|Drama`) and year travel with its rows: the newest known ones count."""
RATING = "rating"
"""The interaction whose meaning is its rating; the others are those people do live."""
POSITIVE_RATING, HIGH_RATING = 4.0, 4.5
GENRE_NAMES = (
    *("Action", "Adventure", "Animation", "Children", "Comedy", "Crime", "Documentary", "Drama", "Fantasy", "Film-Noir"),
    *("Horror", "IMAX", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
"""MovieLens'. A code is the place in this list; another genre is one more than the last."""


def kind_of_rating(rating: float) -> str:
    """The live interaction a recorded rating is played as."""
    return "high_rating" if rating >= HIGH_RATING else "like" if rating >= POSITIVE_RATING else "click" if rating >= 3 else "view"


def number_of(value: Any) -> float:
    """NaN for what is no finite number."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return _NAN
    return number if abs(number) < float("inf") else _NAN
