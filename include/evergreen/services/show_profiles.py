"""What is known of a user, who is like him, and what is like an item: for those who look after recommendations.

Everything a person's screen needs of it is made by one thread: looking does not hold up the answers to users."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from datetime import datetime
from typing import Any, TypeVar

from evergreen.core.as_of import write_as_of
from evergreen.core.boosts import FACTORS, ITEM_COSINE
from evergreen.core.earlier import earlier_of, entity_of, with_earlier
from evergreen.core.errors import NoChampion, NotFound
from evergreen.core.recommending import MODEL, Taste
from evergreen.ports.audience import ActiveUser, Audience, Traces
from evergreen.ports.lists import Lists
from evergreen.ports.profiles import Ranks
from evergreen.ports.recommending import Ranker
from evergreen.ports.serving import FeatureStore, ServedModels
from evergreen.services.similar_users import SimilarUsers

T = TypeVar("T")


class ShowProfiles:
    """Belongs to one event loop; `pool` has one thread."""

    def __init__(
        self,
        *,
        audience: Audience,
        lists: Lists,
        features: FeatureStore,
        similar: Callable[[], SimilarUsers],
        models: ServedModels,
        now: Callable[[], datetime],
        pool: Executor,
    ) -> None:
        """`similar` is called by the thread, once it is first needed."""
        self._audience, self._lists, self._features = audience, lists, features
        self._models, self._now, self._pool = models, now, pool
        self._make_similar = similar
        self._similar: SimilarUsers | None = None
        self._ranker: Ranker | None = None
        self._titles: Mapping[str, str] = {}

    async def known(self, part: str, most: int) -> Sequence[ActiveUser]:
        """Raises Unavailable."""
        return await self._audience.known(part, most)

    async def profile(self, user: str) -> dict[str, Any]:
        """Without a model: items by their ids. Raises Unavailable."""
        try:
            ranker = await self._current()
        except NoChampion:
            ranker = None
        taste, rebuilding = await self._taste(user)
        return _profile(user, taste, await self._audience.traces(user), ranker) | {"rebuilding": rebuilding}

    async def similar_users(self, user: str, most: int) -> dict[str, Any]:
        """Raises NoChampion, Unavailable."""
        ranker = await self._current()
        taste, _ = await self._taste(user)

        def look() -> tuple[Sequence[tuple[str, float]], int]:
            similar = self._similar = self._similar or self._make_similar()
            similar.refresh(ranker, self._now())
            similar.know(ranker, {user: taste})
            return similar.near([user]).get(user, ()), similar.compared

        near, compared = await self._in_thread(look)
        users = [{"user_id": name, "similarity": cosine} for name, cosine in near[:most]]
        return {"user_id": user, "users": users, "compared_with": compared, "model_version": ranker.version}

    async def similar_items(self, item: str, most: int) -> dict[str, Any]:
        """Raises NoChampion, NotFound."""
        ranker = await self._current()
        if item not in self._titles:
            raise NotFound(f"{ranker.version} knows no item {item}")
        near = await self._in_thread(lambda: ranker.similar(item, at_least=0.0, most=most))
        items = [{**_item(ranker, other), "similarity": cosine, "boosted": cosine >= ITEM_COSINE} for other, cosine in near]
        return {**_item(ranker, item), "items": items, "model_version": ranker.version}

    async def items(self, part: str, most: int) -> dict[str, Any]:
        """Whose title or id holds `part`, most popular first. Raises NoChampion."""
        ranker, wanted = await self._current(), part.casefold()

        def look() -> list[dict[str, Any]]:
            found = (item for item in ranker.popular if wanted in self._titles[item] or wanted == item)
            return [_item(ranker, item) for item, _ in zip(found, range(most), strict=False)]

        return {"items": await self._in_thread(look), "model_version": ranker.version}

    async def _taste(self, user: str) -> tuple[Taste, bool]:
        """With what batches say; whether profiles are being made anew."""
        known = await self._lists.taste(user, self._now())
        found = await self._features.get(MODEL, entity_of(user))
        taste = known.taste if found is None else with_earlier(known.taste, earlier_of(found.features))
        return taste, not taste.count and not known.whole

    async def _current(self) -> Ranker:
        """Of the champion."""
        champion = self._models.at_once(MODEL) or await self._models.champion(MODEL)
        loaded = champion.loaded
        if not isinstance(loaded.answering, Ranks):
            raise NoChampion(f"{loaded.name} ranks nothing")
        answering = loaded.answering

        def make() -> Ranker:
            if self._ranker is None or self._ranker.version != loaded.name:
                made = answering.ranker(loaded.name)
                self._ranker, self._titles = made, {item: made.title(item).casefold() for item in made.items}
            return self._ranker

        return await self._in_thread(make)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)


def _item(ranker: Ranker | None, item: str) -> dict[str, Any]:
    return (
        {"item_id": item, "title": item, "genres": []}
        if ranker is None
        else {"item_id": item, "title": ranker.title(item), "genres": list(ranker.genres(item))}
    )


def _profile(user: str, taste: Taste, traces: Traces, ranker: Ranker | None) -> dict[str, Any]:
    liked = sorted(taste.preferences.items(), key=lambda one: (-one[1], one[0]))
    return {
        "user_id": user,
        "interactions": taste.count,
        "counts": traces.counts,
        "rated": len(taste.owned),
        "preferences": [{"genre": genre, "preference": amount} for genre, amount in liked],
        "history": [{**_item(ranker, one.item), "kind": one.kind, "at": one.at} for one in taste.history],
        "boosts": [{**_item(ranker, one.item), "cause": one.cause, "factor": FACTORS[one.cause], "until": one.until} for one in traces.boosts],
        "activity": [{"id": one.id, "at": one.at, "kind": one.kind, "items": [_item(ranker, item) for item in one.items]} for one in traces.activity],
        "as_of": write_as_of(taste.as_of),
        "model_version": None if ranker is None else ranker.version,
    }
