"""What a version says of a row: how good a list would have been for what the user then chose. Without pandas or scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evergreen.domains.movies.factors import Factors, Floats, from_arrays
from evergreen.domains.movies.names import FEATURES, number_of
from evergreen.domains.movies.ranker import MovieRanker
from evergreen.ports.model import Heads, Rows
from evergreen.ports.recommending import Ranker

LOWEST, HIGHEST = 0.0, 1.0
"""A rank is counted, not estimated: there is no interval around a gain, and these are all a gain can be."""


class FactorHeads:
    """The primary head alone."""

    def __init__(self, factors: Factors) -> None:
        self.factors = factors

    def one(self, row: Sequence[float]) -> Mapping[str, float]:
        return {"primary": float(self.many([row])["primary"][0])}

    def many(self, rows: Sequence[Sequence[float]] | Floats) -> Mapping[str, Floats]:
        return {"primary": self.factors.gains(np.asarray(rows, dtype=np.float64).reshape(-1, len(FEATURES)))}


def heads(arrays: Mapping[str, NDArray[np.generic]], card: Mapping[str, Any]) -> FactorHeads:
    """From what `compiling.build` made."""
    return FactorHeads(from_arrays(arrays))


class MovieAnswers:
    """A loaded version's answers, and its `Ranker`. Pure: no I/O, no clock."""

    def __init__(self, heads: Heads, card: Mapping[str, Any]) -> None:
        if not isinstance(heads, FactorHeads):
            raise TypeError(f"a {type(heads).__name__} ranks no movies")
        self._heads = heads
        self._card = card

    def answer(self, requests: Sequence[Mapping[str, Any]], rows: Rows = None) -> list[dict[str, Any]]:
        values = [[number_of(request.get(name)) for name in FEATURES] for request in (requests if rows is None else rows)]
        return [{"prediction": gain, "prediction_lower": LOWEST, "prediction_upper": HIGHEST} for gain in self._heads.many(values)["primary"].tolist()]

    def ranker(self, version: str) -> Ranker:
        """`version`: its name, `name@N`."""
        return MovieRanker(version, self._heads.factors, self._card)
