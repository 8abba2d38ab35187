"""The list a user is shown now.

From Redis where one is kept that reflects what the user did, else made here from the user's profile by the champion. Guarantee: an answer says which
interactions it reflects; it waits at most WAIT_SECONDS for those the caller asks to be in it. Failure: no version, no Redis, or more to make than can be.
Remedy: what is popular, and the answer says why (`degraded_reasons`). Where it cannot be said what batches know of the user, the list
is made without, says so and is not kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, NamedTuple

from evergreen.core.as_of import AsOf, reflects
from evergreen.core.earlier import earlier_of, entity_of, with_earlier
from evergreen.core.errors import CanaryFailed, NoChampion, Unavailable
from evergreen.core.ranking import Knobs, Reason, words
from evergreen.core.recommending import MODEL, Taste
from evergreen.ports.lists import Listed, Lists, ListTraces, MadeList
from evergreen.ports.profiles import Ranks, WatchedRanks
from evergreen.ports.serving import FeatureStore, LoadedModel, ServedModels
from evergreen.services.make_list import ListMaker
from evergreen.services.single_flight import SingleFlight

KEPT = 20
"""Items of a list in Redis."""
WAIT_SECONDS = 1.0
POLL_SECONDS = 0.02
MOST_UNDER_WAY = 64
"""Lists being made: one more is not worth waiting for."""
POPULAR = 100
VERSIONS = 3
Origin = Literal["stored", "computed", "popular"]
Degraded = Literal["model_unavailable", "profile_unavailable", "profile_rebuilding", "overloaded"]


@dataclass(frozen=True)
class Wanted:
    user: str
    k: int = KEPT
    diversity: float | None = None
    """None: as lists are usually made."""
    categories: tuple[str, ...] = ()
    as_of: AsOf = field(default_factory=dict)
    version: int | None = None
    """Of an experiment; None: the champion's."""
    tried: bool = False
    """In an experiment, the control too: were its lists kept for half an hour and those of the others made at each look, they would be counted by
    other lists than the others. By a canary: its lists go with it."""

    @property
    def usual(self) -> bool:
        """Whether the list that is kept of this user will do."""
        return self.k <= KEPT and self.diversity is None and not self.categories and self.version is None and not self.tried


class Recommended(NamedTuple):
    made: MadeList
    origin: Origin
    degraded: Sequence[Degraded] = ()


class Version(NamedTuple):
    maker: ListMaker
    popular: Sequence[Listed]


class Recommend:
    """Belongs to one event loop. Lists are made by the one thread of `pool`: the interpreter lets only one compute, and two would wait for each other."""

    def __init__(
        self,
        *,
        lists: Lists,
        traces: ListTraces,
        features: FeatureStore,
        models: ServedModels,
        held: Callable[[str, int], LoadedModel | None],
        now: Callable[[], datetime],
        pool: Executor,
    ) -> None:
        """`held`: a version that is loaded here, serving or not."""
        self._lists, self._traces, self._models, self._held = lists, traces, models, held
        self._features, self._now, self._pool = features, now, pool
        self._versions: dict[str, Version] = {}
        self._newest: Version | None = None
        self._told: Version | None = None
        self._flights: SingleFlight[Recommended] = SingleFlight()
        self._under_way = 0

    async def run(self, wanted: Wanted) -> Recommended:
        """Raises NoChampion where there is no version, and nobody remembers what was popular. A canary makes the lists of its share of the users,
        the champion where it cannot."""
        if (canary := self._canary(wanted)) is not None:
            try:
                return await self._made_by(canary, replace(wanted, tried=True))
            except (CanaryFailed, Unavailable):
                pass  # counted where it is the canary's; the champion answers
        loaded = await self._loaded(wanted.version)
        try:
            if wanted.usual and (found := await self._stored(wanted, loaded)) is not None:
                return Recommended(found, "stored")
            if loaded is None:
                return await self._popular(wanted, None, "model_unavailable")
            return await self._made_by(loaded, wanted)
        except Unavailable as error:
            if isinstance(error, NoChampion):
                raise
            return await self._popular(wanted, loaded, "profile_unavailable")

    def tries_on(self, user: str) -> bool:
        """Whether a canary makes this user's lists now, where no experiment does."""
        return self._canary(Wanted(user)) is not None

    def _canary(self, wanted: Wanted) -> LoadedModel | None:
        champion = None if wanted.version is not None or wanted.tried else self._models.at_once(MODEL)
        by = None if champion is None else champion.of(wanted.user).loaded
        return by if by is not None and isinstance(by.answering, WatchedRanks) else None

    async def _made_by(self, loaded: LoadedModel, wanted: Wanted) -> Recommended:
        return await (self._reflecting(wanted, loaded) if wanted.as_of else self._made_once(wanted, loaded))

    async def _loaded(self, version: int | None) -> LoadedModel | None:
        tried = None if version is None else self._held(MODEL, version)
        if tried is not None and isinstance(tried.answering, Ranks):
            return tried
        champion = self._models.at_once(MODEL)
        if champion is None:
            try:
                champion = await self._models.champion(MODEL)
            except NoChampion:
                return None
        return champion.loaded if isinstance(champion.loaded.answering, Ranks) else None

    async def _stored(self, wanted: Wanted, loaded: LoadedModel | None) -> MadeList | None:
        """None: none that will do. One of another version than the champion would be the last word of a model that is gone."""
        found = await self._lists.stored(wanted.user)
        if found is None or not reflects(found.as_of, wanted.as_of) or (loaded is not None and found.version != loaded.name):
            return None
        return found

    async def _reflecting(self, wanted: Wanted, loaded: LoadedModel) -> Recommended:
        """Waits for what the caller did; after that the newest there is must do."""
        loop = asyncio.get_running_loop()
        until = loop.time() + WAIT_SECONDS
        while True:
            known = await self._lists.taste(wanted.user, self._now())
            if reflects(known.taste.as_of, wanted.as_of) or loop.time() >= until:
                return await self._made(wanted, loaded, known.taste, known.whole)
            await asyncio.sleep(POLL_SECONDS)
            if wanted.usual and (found := await self._stored(wanted, loaded)) is not None:
                return Recommended(found, "stored")

    async def _made_once(self, wanted: Wanted, loaded: LoadedModel) -> Recommended:
        async def make() -> Recommended:
            known = await self._lists.taste(wanted.user, self._now())
            return await self._made(wanted, loaded, known.taste, known.whole)

        made, _ = await self._flights.run(f"{loaded.name}\n{wanted}", make)
        return made

    async def _made(self, wanted: Wanted, loaded: LoadedModel, taste: Taste, whole: bool) -> Recommended:
        if self._under_way >= MOST_UNDER_WAY:
            return await self._popular(wanted, loaded, "overloaded")
        self._under_way += 1
        try:
            known = await self._with_earlier(wanted.user, taste)
            items = await asyncio.get_running_loop().run_in_executor(self._pool, self._make, wanted, loaded, known or taste)
        finally:
            self._under_way -= 1
        self._tell_popular()
        made = MadeList(items, loaded.name, taste.as_of, self._now())
        degraded: tuple[Degraded, ...] = ("profile_unavailable",) if known is None else ()
        degraded += ("profile_rebuilding",) if not taste.count and not whole else ()
        if wanted.usual and not degraded:
            await self._keep(wanted.user, made, taste.count)
        return Recommended(made, "computed", degraded)

    async def _with_earlier(self, user: str, taste: Taste) -> Taste | None:
        """None: nobody can say."""
        try:
            found = await self._features.get(MODEL, entity_of(user))
        except Unavailable:
            return None
        return taste if found is None else with_earlier(taste, earlier_of(found.features))

    async def _keep(self, user: str, made: MadeList, count: int) -> None:
        try:
            await self._lists.keep(user, made, count)
        except Unavailable:
            return  # the next one makes it again

    def _make(self, wanted: Wanted, loaded: LoadedModel, taste: Taste) -> list[Listed]:
        if isinstance(loaded.answering, WatchedRanks):
            return loaded.answering.listed(lambda: self._listed(wanted, loaded, taste), may_be_empty=bool(wanted.categories))
        return self._listed(wanted, loaded, taste)

    def _listed(self, wanted: Wanted, loaded: LoadedModel, taste: Taste) -> list[Listed]:
        maker = self._version(loaded).maker
        knobs = None if wanted.diversity is None else Knobs(diversity=wanted.diversity)
        found = maker.make(taste, max(wanted.k, KEPT) if wanted.usual else wanted.k, knobs=knobs, genres=wanted.categories)
        return [Listed(**item) for item in found]

    def _version(self, loaded: LoadedModel) -> Version:
        """In the pool's thread: a version's first list takes a tenth of a second."""
        found = self._versions.get(loaded.name)
        if found is None:
            assert isinstance(loaded.answering, Ranks)  # noqa: S101 - by `_loaded`
            ranker = loaded.answering.ranker(loaded.name)
            popular = [Listed(item, ranker.title(item), 0.0, words(Reason("popular"), ranker.title)) for item in ranker.popular[:POPULAR]]
            found = Version(ListMaker(ranker), popular)
            while len(self._versions) >= VERSIONS:
                del self._versions[next(iter(self._versions))]
            self._versions[loaded.name] = self._newest = found
        return found

    def _tell_popular(self) -> None:
        """For workers without a version: once of each version, by the event loop's thread."""
        if self._newest is not self._told and self._newest is not None:
            self._told = self._newest
            self._traces.keep_popular(self._newest.popular)

    async def _popular(self, wanted: Wanted, loaded: LoadedModel | None, why: Degraded) -> Recommended:
        version: Version | None
        if loaded is not None and why != "overloaded":
            version = await asyncio.get_running_loop().run_in_executor(self._pool, self._version, loaded)
        else:
            version = self._versions.get(loaded.name) if loaded is not None else self._newest
        items = version.popular if version is not None else await self._remembered()
        if version is not None and wanted.categories:
            items = [item for item in items if not set(wanted.categories).isdisjoint(version.maker.ranker.genres(item.item_id))]
        made = MadeList(items[: wanted.k], None if loaded is None else loaded.name, {}, self._now())
        return Recommended(made, "popular", (why,))

    async def _remembered(self) -> Sequence[Listed]:
        try:
            found = await self._lists.popular()
        except Unavailable:
            found = ()
        if not found:
            raise NoChampion(f"no version of {MODEL} serves yet, and nobody remembers what was popular: train one (`evergreen models train {MODEL}`)")
        return found
