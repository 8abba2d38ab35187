"""A version as a `Ranker`, from arrays and its card: no scikit-learn, no pandas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from evergreen.domains.movies.factors import Factors, Floats, Places

MIN_POSITIVE = 3
"""Users who liked a movie, from which on its factors say what it is like; below, its content does."""
_YEARS = 10.0
_UNKNOWN_YEAR = 0.5
"""How alike two movies are as to their years where one is not known."""


class MovieRanker:
    def __init__(self, version: str, factors: Factors, card: Mapping[str, Any]) -> None:
        self.version = version
        self.items: Sequence[str] = tuple(map(str, factors.movies.tolist()))
        self._factors = factors
        self._facts = card["movies"]
        self._known = np.asarray(self._facts["positives"]) >= MIN_POSITIVE
        self._place = {item: at for at, item in enumerate(self.items)}

    @cached_property
    def popular(self) -> Sequence[str]:
        return tuple(self.items[at] for at in np.argsort(-self._factors.popularity, kind="stable").tolist())

    def scores(self, history: Sequence[tuple[str, float]]) -> Floats:
        places, weights = self._places(history)
        return self._factors.scores(places, weights)

    def user_vector(self, history: Sequence[tuple[str, float]]) -> Floats:
        vector: Floats = _unit(self._factors.taste(*self._places(history))[None])[0]
        return vector

    def similar(self, item: str, *, at_least: float, most: int) -> Sequence[tuple[str, float]]:
        at = self._place.get(item)
        if at is None:
            return ()
        alike = np.where(self._known, self._units @ self._units[at], 0.0) if self._known[at] else self._content(at)
        alike[at] = -1.0
        near = np.flatnonzero(alike >= at_least)
        best = near[np.argsort(-alike[near], kind="stable")][:most]
        return [(self.items[place], float(alike[place])) for place in best.tolist()]

    def genres(self, item: str) -> Sequence[str]:
        at = self._place.get(item)
        return () if at is None else self._genres[at]

    def title(self, item: str) -> str:
        at = self._place.get(item)
        title, year = ("", None) if at is None else (self._facts["titles"][at], self._facts["years"][at])
        return item if not title else title if year is None else f"{title} ({year})"

    def _places(self, history: Sequence[tuple[str, float]]) -> tuple[Places, Floats]:
        known = [(self._place[item], weight) for item, weight in history if item in self._place]
        return np.array([at for at, _ in known], dtype=np.intp), np.array([weight for _, weight in known], dtype=np.float64)

    @cached_property
    def _units(self) -> Floats:
        return _unit(self._factors.items)

    @cached_property
    def _genres(self) -> Sequence[Sequence[str]]:
        return [tuple(genres.split("|")) if genres else () for genres in self._facts["genres"]]

    @cached_property
    def _content_of(self) -> tuple[Floats, Floats]:
        """(0 or 1 by movie and genre, years)."""
        names = sorted({genre for genres in self._genres for genre in genres})
        column = {name: at for at, name in enumerate(names)}
        marks = np.zeros((len(self.items), max(len(names), 1)))
        for at, genres in enumerate(self._genres):
            marks[at, [column[genre] for genre in genres]] = 1.0
        return marks, np.array([np.nan if year is None else year for year in self._facts["years"]], dtype=np.float64)

    def _content(self, at: int) -> Floats:
        """Share of common genres, less the further the years lie apart."""
        marks, years = self._content_of
        common = marks @ marks[at]
        every = marks.sum(axis=1) + marks[at].sum() - common
        near = np.exp(-np.abs(years - years[at]) / _YEARS)
        found: Floats = common / np.maximum(every, 1.0) * np.where(np.isnan(near), _UNKNOWN_YEAR, near)
        return found


def _unit(rows: Floats) -> Floats:
    """Of length one; zeros stay."""
    length = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    found: Floats = rows / np.where(length > 0, length, 1.0)
    return found
