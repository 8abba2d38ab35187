"""What a version knows of movies, as arrays, and what follows from it for a user's history. numpy alone: serving and workers use it as training does.

A user is folded in, so that a click needs no new fit: with V the movies' factors, a history of movies h_1 (newest) ... h_n with weights w_j

    taste = sum of w_j / sqrt(j) x V[h_j],   personal = V taste / its highest,   score = a x personal + (1 - a) x popularity,   a = e / (e + EVIDENCE)

where e is the sum of the weights: of somebody who has not been here for weeks (whoever asks lets the weights fade with the time since the newest one,
HALF_LIFE_DAYS) popularity says more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from evergreen.core.recommending import AWAY_HALF_LIFE
from evergreen.domains.movies.names import FEATURES, HISTORY, RECENT, SINCE_LAST

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
EVIDENCE = 0.3
HALF_LIFE_DAYS = AWAY_HALF_LIFE / timedelta(days=1)
SHOWN = 10
"""Length of the list a row's gain is of."""
_TIE = 1e-9
"""Scores closer than this are equal: sums in another order, as of one row or of many, must not change a rank."""
_ROWS = 256
"""At once: their histories' factors take 7 MB."""
_RECENT = slice(FEATURES.index(RECENT[0]), FEATURES.index(RECENT[0]) + HISTORY)
_SINCE = FEATURES.index(SINCE_LAST)
_DISCOUNT = np.arange(1, HISTORY + 1, dtype=np.float64) ** -0.5


@dataclass(frozen=True)
class Factors:
    movies: NDArray[np.int64]
    """Ids, ascending."""
    items: Floats
    """(movies, factors)."""
    popularity: Floats
    """(movies,), the highest is 1."""

    def places(self, movies: Floats) -> Places:
        """Where each lies, -1 where it is not known. Any shape."""
        at = np.searchsorted(self.movies, movies)
        at[at == len(self.movies)] = 0
        return np.asarray(np.where(self.movies[at] == movies, at, -1), dtype=np.intp)

    def taste(self, places: Places, weights: Floats) -> Floats:
        """Of known movies, newest first; (factors,)."""
        found: Floats = (weights * np.arange(1, len(places) + 1) ** -0.5) @ self.items[places]
        return found

    def scores(self, places: Places, weights: Floats) -> Floats:
        """Of known movies, newest first; (movies,)."""
        scores: Floats = self._blended(self.taste(places, weights)[None], np.array([weights.sum()]))[0]
        return scores

    def gains(self, rows: Floats) -> Floats:
        """(n,) of rows of FEATURES: 1 / log2(1 + rank) of the row's movie among those not in its history, 0 beyond the first SHOWN."""
        return np.concatenate([np.zeros(0), *self._gains(rows)])

    def _gains(self, rows: Floats) -> Iterator[Floats]:
        for begin in range(0, len(rows), _ROWS):
            chunk = rows[begin : begin + _ROWS]
            wanted, recent = self.places(chunk[:, 0]), self.places(chunk[:, _RECENT])
            known = recent >= 0
            faded = 0.5 ** (np.nan_to_num(np.maximum(chunk[:, _SINCE], 0.0)) / HALF_LIFE_DAYS)
            weights = known * faded[:, None]
            taste = np.einsum("rh,rhf->rf", weights * _discounts(known), self.items[recent])
            scores = self._blended(taste, weights.sum(axis=1))
            own = np.take_along_axis(scores, wanted[:, None], axis=1)
            row, place = np.nonzero(known)
            scores[row, recent[row, place]] = -np.inf
            rank = 1.0 + (scores > own + _TIE).sum(axis=1)
            yield np.where((wanted >= 0) & (rank <= SHOWN), 1.0 / np.log2(1.0 + rank), 0.0)

    def _blended(self, taste: Floats, evidence: Floats) -> Floats:
        """(n, factors), (n,) -> (n, movies)."""
        personal = taste @ self.items.T
        highest = personal.max(axis=1)
        share = np.where(highest > 0, evidence / (evidence + EVIDENCE), 0.0)
        scores: Floats = personal * (share / np.where(highest > 0, highest, 1.0))[:, None]
        scores += np.outer(1.0 - share, self.popularity)
        return scores


def _discounts(known: NDArray[np.bool_]) -> Floats:
    """1 / sqrt(place among the known ones)."""
    place = np.clip(known.cumsum(axis=1), 1, HISTORY) - 1
    found: Floats = _DISCOUNT[place]
    return found


def faded(days: float) -> float:
    """What a weight of so many days ago counts now."""
    return float(0.5 ** (max(days, 0.0) / HALF_LIFE_DAYS))


def from_arrays(arrays: Mapping[str, NDArray[np.generic]]) -> Factors:
    return Factors(
        np.asarray(arrays["movies"], dtype=np.int64), np.asarray(arrays["items"], dtype=np.float64), np.asarray(arrays["popularity"], dtype=np.float64)
    )
