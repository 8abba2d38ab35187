"""What batches say of a user beside the live profile: who was loaded had rated things before anybody saw them here.

An entry of the feature store, of the recommender and `entity_of(user)`. What people do live comes back in batches the next day, so both may say the same:
put together, an item counts once and the live word is taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from evergreen.core.recommending import HISTORY, POSITIVE, Taste, Touched


@dataclass(frozen=True)
class Earlier:
    history: Sequence[Touched] = ()
    """What was liked, newest first, each item once; at most HISTORY."""
    owned: frozenset[str] = frozenset()
    """Rated or bought; at most OWNED."""


def entity_of(user: str) -> str:
    """No video has such a name."""
    return f"user:{user}"


def features_of(history: Iterable[tuple[str, str, int]], owned: Iterable[str]) -> dict[str, Any]:
    """As the entry holds them. `history`: (item, kind, milliseconds), newest first."""
    return {"history": [list(one) for one in history], "owned": list(owned)}


def earlier_of(features: Mapping[str, Any]) -> Earlier:
    history = [Touched(item, kind, datetime.fromtimestamp(at / 1000, UTC)) for item, kind, at in features["history"] if kind in POSITIVE]
    return Earlier(history, frozenset(features["owned"]))


def with_earlier(taste: Taste, earlier: Earlier) -> Taste:
    """`taste` stays what it says of the live profile alone in everything else: how many interactions it reflects, and which."""
    live = {touched.item for touched in taste.history}
    both = [*taste.history, *(touched for touched in earlier.history if touched.item not in live)]
    newest = sorted(both, key=lambda touched: touched.at, reverse=True)[:HISTORY]
    return replace(taste, history=tuple(newest), owned=taste.owned | earlier.owned)
