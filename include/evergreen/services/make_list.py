"""Lists by one version of the model: what it says of every item, cut to those worth looking at, then ranked (`core.ranking`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evergreen.core.ranking import Candidate, Knobs, reason, top, words
from evergreen.core.recommending import POSITIVE, Taste
from evergreen.ports.recommending import Ranker

SHORTLIST = 60
NEAR = 0.2
"""Below this cosine an item is no reason for another."""
_REASONED_BY = 10
"""Newest items of the history."""


class ListMaker:
    """Thread-safe."""

    def __init__(self, ranker: Ranker, knobs: Knobs | None = None) -> None:
        self.ranker = ranker
        self._knobs = knobs or Knobs()
        self._position = {item: at for at, item in enumerate(ranker.items)}
        self._genres = [tuple(ranker.genres(item)) for item in ranker.items]
        bit = {genre: 1 << at for at, genre in enumerate(sorted({genre for genres in self._genres for genre in genres}))}
        self._bits = [sum(bit[genre] for genre in set(genres)) for genres in self._genres]

    def make(self, taste: Taste, k: int, *, knobs: Knobs | None = None, genres: Sequence[str] = ()) -> list[dict[str, Any]]:
        """As a list is kept and answered: item_id, title, score, reason. `genres`: items of these alone; none: of all."""
        chosen = top(self._shortlist(taste, max(SHORTLIST, 2 * k), frozenset(genres)), k, taste, knobs or self._knobs)
        watched = self._watched([one.item for one in chosen], taste)
        title = self.ranker.title
        return [
            {
                "item_id": one.item,
                "title": title(one.item),
                "score": round(one.value, 6),
                "reason": words(reason(one.item, self._genres[self._position[one.item]], taste, near), title),
            }
            for one, near in zip(chosen, watched, strict=True)
        ]

    def _shortlist(self, taste: Taste, most: int, only: frozenset[str]) -> list[Candidate]:
        """The best by the model, and whatever is boosted; nothing that was rated, bought or touched lately."""
        scores = np.array(self.ranker.scores(taste.weighted()), dtype=np.float64)
        left_out = self._positions([*taste.owned, *(touched.item for touched in taste.history)])
        scores[left_out] = -np.inf
        if only:
            scores[[at for at, genres in enumerate(self._genres) if only.isdisjoint(genres)]] = -np.inf
        count = min(most, len(scores))
        best = np.argpartition(scores, len(scores) - count)[len(scores) - count :].tolist() if count else []
        wanted = dict.fromkeys([*best, *self._positions(taste.boosts)])
        items, genres, bits = self.ranker.items, self._genres, self._bits
        return [Candidate(items[at], score, genres[at], bits[at]) for at in wanted if (score := float(scores[at])) != -np.inf]

    def _watched(self, items: Sequence[str], taste: Taste) -> list[str]:
        """Of each item the one of the newest history that is nearest to it, "" where none is near."""
        history = [item for item in (touched.item for touched in taste.history if touched.kind in POSITIVE) if item in self._position][:_REASONED_BY]
        if not history or not items:
            return [""] * len(items)
        cosines = self._units[self._positions(items)] @ self._units[self._positions(history)].T
        nearest = cosines.argmax(axis=1).tolist()
        return [history[at] if cosines[row, at] >= NEAR else "" for row, at in enumerate(nearest)]

    @cached_property
    def _units(self) -> NDArray[np.float32]:
        """Of each item its direction: that of somebody who watched nothing else."""
        return np.stack([self.ranker.user_vector([(item, 1.0)]) for item in self.ranker.items]).astype(np.float32)

    def _positions(self, items: Iterable[str]) -> list[int]:
        return [at for item in items if (at := self._position.get(item)) is not None]
