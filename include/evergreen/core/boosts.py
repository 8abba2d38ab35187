"""Items that are lifted for a user for a while.

A boost is its cause, its item and its end. The same again renews the end, so telling it twice changes nothing, and an item is lifted at most
once by each cause: the factor never exceeds the product of the two."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from math import prod

SIMILAR_USERS, SIMILAR_ITEMS = "users", "items"
FACTORS: Mapping[str, float] = {SIMILAR_USERS: 1.2, SIMILAR_ITEMS: 1.5}
"""By cause: a similar user bought it or rated it high; it is similar to a recommendation the user clicked."""
LASTS: Mapping[str, timedelta] = {SIMILAR_USERS: timedelta(hours=24), SIMILAR_ITEMS: timedelta(hours=6)}
HIGHEST = prod(FACTORS.values())
MOST = 200
"""Of one user; those that end first go."""
USER_COSINE, USERS = 0.7, 50
ITEM_COSINE, ITEMS = 0.8, 10


def name_of(cause: str, item: str) -> str:
    return f"{cause}:{item}"


def factors(names: Iterable[str]) -> dict[str, float]:
    """Of boosts that have not ended, by item. What is no boost of ours is passed over."""
    found: dict[str, float] = {}
    for cause, _, item in (name.partition(":") for name in set(names)):
        if cause in FACTORS:
            found[item] = found.get(item, 1.0) * FACTORS[cause]
    return found
