"""Lists as the worker and serving make them, from a bare history: for measuring what is really shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from math import log2

from evergreen.core.ranking import Knobs
from evergreen.core.recommending import AWAY_HALF_LIFE, HISTORY, Taste, Touched
from evergreen.ports.recommending import Ranker
from evergreen.services.make_list import ListMaker

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
"""Any: only how long ago something was counts."""
History = Sequence[tuple[float, float]]
"""(item, weight), newest first; one weight for all, 1 for somebody who is here now."""


def as_served(ranker: Ranker, k: int, knobs: Knobs | None = None) -> Callable[[History], Sequence[float]]:
    """A history of high ratings -> the first k; what was rated is left out, however long ago."""
    maker = ListMaker(ranker, knobs)

    def lists(history: History) -> Sequence[float]:
        away = -log2(history[0][1]) * AWAY_HALF_LIFE if history else AWAY_HALF_LIFE
        touched = [Touched(f"{item:.0f}", "high_rating", _NOW - away) for item, _ in history]
        taste = Taste(history=touched[:HISTORY], owned=frozenset(one.item for one in touched), at=_NOW)
        return [float(one["item_id"]) for one in maker.make(taste, k)]

    return lists
