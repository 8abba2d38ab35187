"""From the fitted estimator to the arrays serving ranks by, in the child process that checks a version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evergreen.core.errors import NotExact
from evergreen.domains.movies.answers import heads
from evergreen.domains.movies.factors import Floats
from evergreen.domains.movies.names import FEATURES, HISTORY
from evergreen.ports.registry import GoldenRows

_MADE_UP = 256
_TOLERANCE = 1e-9


def build(estimators: Mapping[str, Any], card: Mapping[str, Any], golden: GoldenRows | None) -> tuple[Mapping[str, NDArray[Any]], float]:
    """(arrays, largest difference to the estimator over golden rows and made-up ones). Raises NotExact."""
    ranker = estimators["primary"]
    factors = ranker.factors()
    arrays = {"movies": factors.movies, "items": factors.items, "popularity": factors.popularity}
    rows = np.array([*_golden(golden), *_made_up(factors.movies)], dtype=np.float64)
    made, said = heads(arrays, card), ranker.predict(rows)
    alone = np.array([made.one(row)["primary"] for row in rows.tolist()])
    difference = max(float(np.abs(made.many(rows)["primary"] - said).max()), float(np.abs(alone - said).max()))
    if not difference <= _TOLERANCE:
        raise NotExact("primary", difference)
    return arrays, difference


def _golden(golden: GoldenRows | None) -> Iterator[list[float]]:
    for row in () if golden is None else golden.rows:
        yield [float("nan") if value is None else value for value in row]


def _made_up(movies: NDArray[np.int64]) -> Iterator[Floats]:
    """Histories of every length, of known movies and of others, old and new."""
    draw = np.random.default_rng(0)
    for number in range(_MADE_UP):
        row = np.full(len(FEATURES), np.nan)
        length = number % (HISTORY + 1)
        row[0] = draw.choice(movies)
        row[1] = draw.exponential(30.0)
        row[2 : 2 + length] = draw.choice(movies, length) + (draw.random(length) < 0.1) * 0.5  # half a movie is none
        yield row
