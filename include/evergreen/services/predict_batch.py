"""Many predictions at once: each its own answer or error, in the order asked.

Guarantee: all come from one version (the reference is taken once) and each is what the same question alone would be answered. Stored
features, what they refer to and the seen index are asked once for all; what no cache has is one call of the model. Failure: one question
cannot be answered. Remedy: its place holds the reason; the others do not notice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from evergreen.core.errors import EvergreenError, Unavailable
from evergreen.core.generations import Generations, predictions
from evergreen.ports.cache import CachedAnswer, Layer, PredictionCache
from evergreen.ports.serving import Champion, FeatureStore, LoadedModel, PredictionLog, PredictionRecord, SeenIndex, ServedModels, StoredFeatures
from evergreen.services.answer_each import Broke, answered
from evergreen.services.predict import STATUS, Question
from evergreen.services.prediction_answers import Answer, encode, ready
from evergreen.services.prediction_ids import Ids
from evergreen.services.prediction_request import NothingKnown, Round, cache_key, features_away, known, last_key, row_of, told, with_related

if TYPE_CHECKING:
    from evergreen.contracts.api import BloomStatus

INLINE_SECONDS = 0.005
"""Of model time a batch may take on the event loop; a longer one goes to the pool."""
_FIRST_GUESS = 50e-6


@dataclass(frozen=True)
class BatchAnswer:
    answers: Sequence[Answer | EvergreenError]
    """In the order of the questions."""
    version: str
    epoch: int
    seconds: float


@dataclass
class _Item:
    question: Question
    given: dict[str, Any] | None
    ignored: Sequence[str]
    found: Round = field(default_factory=Round)
    request: dict[str, Any] | None = None
    """None: its features could not be had."""
    as_of: datetime | None = None
    key: str = ""
    cached: CachedAnswer | None = None
    layer: Layer | None = None
    error: EvergreenError | None = None

    @property
    def open(self) -> bool:
        return self.cached is None and self.error is None


class PredictBatch:
    def __init__(
        self,
        *,
        models: ServedModels,
        cache: PredictionCache,
        features: FeatureStore,
        seen: SeenIndex,
        log: PredictionLog,
        now: Callable[[], datetime],
        pool: Executor | None = None,
        generations: Generations | None = None,
    ) -> None:
        self._generations = generations or Generations()
        self._ids = Ids()
        self._models = models
        self._cache = cache
        self._features = features
        self._seen = seen
        self._log = log
        self._now = now
        self._pool = pool
        self._row_seconds: dict[str, float] = {}

    async def run(self, model: str, questions: Sequence[Question]) -> BatchAnswer:
        """Raises NoChampion."""
        started = time.perf_counter()
        champion = await self._models.champion(model)
        items = [_Item(question, *known(champion.loaded.spec, question.features)) for question in questions]
        generation = self._generations.of(predictions(model))
        await self._look_up(champion, items)
        await self._look_up_related(champion, items)
        await self._from_cache(champion, generation, items)
        await self._compute(champion, generation, items)
        now = self._now()
        statuses = await self._statuses(items, now)
        answers = [item.error or self._told(champion, item, statuses, now, started) for item in items]
        return BatchAnswer(answers, champion.loaded.name, champion.epoch, time.perf_counter() - started)

    async def _look_up(self, champion: Champion, items: Sequence[_Item]) -> None:
        """Given features, else the feature store's, else what this version said of the entity a moment ago."""
        wanted = list(dict.fromkeys(item.question.entity for item in items if item.given is None))
        stored: Mapping[str, StoredFeatures] | None = {}
        if wanted:
            try:
                stored = await self._features.get_many(champion.loaded.spec.name, wanted)
            except Unavailable:
                stored = None
        for item in items:
            if item.given is not None:
                item.request = dict(item.given)
            elif stored is not None and (found := stored.get(item.question.entity)) is None:
                item.error = NothingKnown(item.question.entity)
            elif stored is not None and found is not None:
                item.request, item.as_of = dict(found.features), found.as_of

    async def _look_up_related(self, champion: Champion, items: Sequence[_Item]) -> None:
        spec = champion.loaded.spec
        asked = [(item, item.request) for item in items if item.request is not None]
        try:
            whole = await with_related(self._features, spec, [request for _, request in asked])
        except Unavailable:
            for item, request in asked:
                if spec.related is not None and spec.related(request) is not None:
                    item.found.lacks("features_unavailable", whole=False)
            return
        for (item, _), request in zip(asked, whole, strict=True):
            item.request = request

    async def _from_cache(self, champion: Champion, generation: int, items: Sequence[_Item]) -> None:
        """All at once: the shared layer is asked in one turn."""
        for item in items:
            entity = item.question.entity
            item.key = last_key(champion, generation, entity) if item.request is None else cache_key(champion, generation, entity, item.request)
        asked = [item for item in items if item.error is None]
        keys = list(dict.fromkeys(item.key for item in asked))
        version = champion.loaded.name
        hits = dict(zip(keys, await asyncio.gather(*(self._cache.get(key, version) for key in keys), return_exceptions=True), strict=True))
        for item in asked:
            hit = hits[item.key]
            if isinstance(hit, Unavailable):
                item.found.lacks("cache_unavailable")
            elif isinstance(hit, BaseException):
                raise hit
            elif hit is not None:
                item.cached, item.layer = (replace(hit[0], features_as_of=item.as_of) if item.request is not None else hit[0]), hit[1]
            if item.request is None:
                self._without_features(item)

    def _without_features(self, item: _Item) -> None:
        """The feature store is away: what this version said of the entity a while ago, if anything."""
        if item.cached is None and (stale := self._cache.expired(item.key)) is not None:
            item.cached, item.layer = stale, "l1"
        if item.cached is None:
            item.error = features_away(item.question.entity)
        item.found.lacks("features_unavailable", whole=False)

    async def _compute(self, champion: Champion, generation: int, items: Sequence[_Item]) -> None:
        """Each different question once."""
        loaded = champion.loaded
        requests = {item.key: item.request for item in items if item.open and item.request is not None}
        if not requests:
            return
        said = dict(zip(requests, await self._ask(loaded, list(requests.values())), strict=True))
        for item in items:
            if not item.open:
                continue
            answer = said[item.key]
            if isinstance(answer, Broke):
                self._broken(item, answer)
                continue
            request = item.request or {}
            item.cached = CachedAnswer(encode(answer), encode(told(request, row_of(loaded.spec, request))), loaded.name, item.as_of)
            if item.found.whole:
                self._cache.put(item.key, item.cached)
                if item.as_of is not None:
                    self._cache.put(last_key(champion, generation, item.question.entity), item.cached)

    def _broken(self, item: _Item, error: Broke) -> None:
        stale = self._cache.expired(item.key)
        if stale is None:
            item.error = error
        else:
            item.cached, item.layer = replace(stale, features_as_of=item.as_of), "l1"
            item.found.lacks("model_failed", whole=False)

    async def _ask(self, loaded: LoadedModel, requests: Sequence[Mapping[str, Any]]) -> Sequence[dict[str, Any] | Broke]:
        per_row = self._row_seconds.get(loaded.name, _FIRST_GUESS)
        begun = time.perf_counter()
        if self._pool is None or (loaded.inline and per_row * len(requests) <= INLINE_SECONDS):
            said = answered(loaded, requests)
        else:
            said = await asyncio.get_running_loop().run_in_executor(self._pool, answered, loaded, requests)
        self._row_seconds = {loaded.name: (per_row + (time.perf_counter() - begun) / len(requests)) / 2}
        return said

    async def _statuses(self, items: Sequence[_Item], now: datetime) -> Mapping[str, BloomStatus]:
        entities = list(dict.fromkeys(item.question.entity for item in items if item.error is None))
        try:
            said = await self._seen.seen_many(entities, now) if entities else []
        except Unavailable:
            for item in items:
                item.found.lacks("seen_index_unavailable")
            return {}
        return {entity: STATUS[seen] for entity, seen in zip(entities, said, strict=True)}

    def _told(self, champion: Champion, item: _Item, statuses: Mapping[str, BloomStatus], now: datetime, started: float) -> Answer:
        cached = item.cached
        if cached is None:
            raise Broke("no answer was made")
        if cached.features_as_of is not None and now - cached.features_as_of > champion.loaded.spec.stale_after:
            item.found.lacks("features_stale")
        question, loaded, seconds, prediction_id = item.question, champion.loaded, time.perf_counter() - started, self._ids.next()
        is_cached, reasons = item.layer is not None, item.found.reasons
        self._log.record(
            PredictionRecord(
                *(prediction_id, champion, question.entity, encode(item.given or {}), cached.body, cached.features),
                *(seconds, is_cached, now, question.traceparent),
            )
        )
        head = ready(champion, question.entity, item.ignored, cached)
        body = head.body(prediction_id, is_cached, seconds, statuses.get(question.entity, "unknown"), reasons)
        return Answer(body, loaded.spec.name, loaded.version, item.layer, seconds, bool(reasons))
