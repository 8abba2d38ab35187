"""A ranker of a few arrays: items on a ring of tastes, neighbours are alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from evergreen.services.follow_champion import ServingVersion
from evergreen.services.make_list import ListMaker

GENRES = ("Comedy", "Drama", "Horror", "Sci-Fi")


@dataclass
class TinyRanker:
    size: int = 40
    version: str = "movie_recommender@1"
    dimensions: int = 2
    prefix: str = "m"
    """Of the items' ids; none: movie ids."""
    items: Sequence[str] = field(init=False)

    def __post_init__(self) -> None:
        self.items = tuple(f"{self.prefix}{number}" for number in range(self.size))

    @cached_property
    def factors(self) -> NDArray[np.float64]:
        """In two dimensions a circle; in more the same with a little seeded noise."""
        angles = np.arange(self.size) * 2 * np.pi / self.size
        found = np.random.default_rng(1).normal(0, 0.02, (self.size, self.dimensions))
        found[:, :2] = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))

    @property
    def popular(self) -> Sequence[str]:
        return self.items

    def scores(self, history: Sequence[tuple[str, float]]) -> NDArray[np.float64]:
        known = [(at, weight) for item, weight in history if (at := self._at(item)) is not None]
        if not known:
            return np.linspace(1.0, 0.0, self.size)
        return np.asarray(self.factors @ sum((weight * self.factors[at] for at, weight in known), np.zeros(self.dimensions)))

    def similar(self, item: str, *, at_least: float, most: int) -> Sequence[tuple[str, float]]:
        at = self._at(item)
        if at is None:
            return ()
        cosines = self.factors @ self.factors[at]
        order = [other for other in np.argsort(-cosines, kind="stable").tolist() if other != at and cosines[other] >= at_least]
        return [(self.items[other], float(cosines[other])) for other in order[:most]]

    def user_vector(self, history: Sequence[tuple[str, float]]) -> NDArray[np.float64]:
        known = [(at, weight) for item, weight in history if (at := self._at(item)) is not None]
        summed = np.asarray(sum((weight * self.factors[at] for at, weight in known), np.zeros(self.dimensions)))
        length = float(np.linalg.norm(summed))
        return summed / length if length else summed

    def genres(self, item: str) -> Sequence[str]:
        at = self._at(item)
        return () if at is None else (GENRES[at * len(GENRES) // self.size],)

    def title(self, item: str) -> str:
        at = self._at(item)
        return item if at is None else f"Movie {at}"

    def _at(self, item: str) -> int | None:
        number = item.removeprefix(self.prefix)
        return int(number) if item.startswith(self.prefix) and number.isdigit() and int(number) < self.size else None


def tiny_version(version: int, ranker: TinyRanker | None = None) -> ServingVersion:
    """Every row gains a half."""
    ranker = ranker or TinyRanker(version=f"movie_recommender@{version}", prefix="")
    return ServingVersion(ListMaker(ranker), lambda matrix: np.full(len(matrix), 0.5), ("movie_id", "since_last", "recent_1"))
