"""One prediction: the champion's answer on given or stored features, cached by version, with what the seen index says.

Guarantee: an answer comes from one version (the reference is taken once; a canary answers its share of the entities, the champion where it
cannot), and is the same with and without cache and Redis but for `cached`, `processing_time`, `prediction_id` and what is said about
degradation. Failure: Redis or Postgres does not answer in time, or the model breaks. Remedy: the answer says `degraded` and why; what was
computed without something it would have used is not cached; where nothing can be computed, what this version and epoch said a while ago
answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from evergreen.core.errors import CanaryFailed, Unavailable
from evergreen.core.generations import Generations, predictions
from evergreen.core.lru import Lru
from evergreen.ports.cache import Asked, CachedAnswer, Layer, Nothing, PredictionCache
from evergreen.ports.serving import Champion, FeatureStore, PredictionLog, PredictionRecord, SeenIndex, ServedModels
from evergreen.services.prediction_answers import Answer, Ready, Repeated, encode, ready
from evergreen.services.prediction_ids import Ids
from evergreen.services.prediction_request import NothingKnown, Requests, Round, cache_key, encode_sorted, key_of, known
from evergreen.services.prediction_source import PredictionSource

if TYPE_CHECKING:
    import asyncio

    from evergreen.contracts.api import BloomStatus

__all__ = ["Answer", "NothingKnown", "Predict", "Question", "cache_key"]
STATUS: Mapping[str, BloomStatus] = {"MAYBE": "probably seen in the last 7 days", "NO": "not seen in the last 7 days"}
REPEATED_ENTRIES = 4096
REPEATED_BYTES = 16 * 2**20
LONGEST_REPEATED = 16 * 2**10


@dataclass(slots=True)
class Question:
    model: str
    entity: str
    features: Mapping[str, Any] | None = None
    """None: the feature store's."""
    traceparent: str = ""
    raw: bytes = b""
    """The question as it came, from a door that always asks the same model: repeated byte for byte it is answered without being read."""
    shared: Nothing | None = None
    """What the shared cache has said already."""


class Soon(NamedTuple):
    answered: asyncio.Future[Any]
    answer: Callable[[], Answer | None]
    """After `answered`. None: `run` the question."""


@dataclass(slots=True)
class _Said:
    """What an answer is made of, wherever it came from."""

    champion: Champion
    entity: str
    given: bytes
    answer: CachedAnswer
    layer: Layer | None
    ready: Ready
    as_of: datetime | None
    traceparent: str


class Predict:
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
        observe: Callable[[Layer, bool], None] | None = None,
    ) -> None:
        """`observe`: told of answers to repeated questions; of others the cache tells."""
        self._models = models
        self._requests = Requests(features)
        self._cache = cache
        self._source = PredictionSource(cache, pool)
        self._seen = seen
        self._log = log
        self._now = now
        self._generations = generations or Generations()
        self._observe = observe or (lambda _layer, _hit: None)
        self._repeated: Lru[bytes, Repeated] = Lru(REPEATED_ENTRIES, REPEATED_BYTES)
        self._ids = Ids()

    def again_at_once(self, raw: bytes, traceparent: str = "") -> Answer | None:
        """As `again`, where nothing has to be waited for. None: ask that."""
        kept = self._repeated.get(raw)
        if kept is None:
            return None
        started, now = time.perf_counter(), self._now()
        champion, seen = self._models.at_once(kept.champion.loaded.spec.name), self._seen.known(kept.entity, now)
        if champion is None or seen is None or not self._holds(raw, kept, champion):
            return None
        return self._tell(self._repeat(kept, traceparent), STATUS[seen], [], now, started)

    async def again(self, raw: bytes, traceparent: str = "") -> Answer | None:
        """The answer to a question that came with the same bytes before, while nothing it rests on has changed. Raises NoChampion."""
        kept = self._repeated.get(raw)
        if kept is None:
            return None
        started = time.perf_counter()
        champion = await self._models.champion(kept.champion.loaded.spec.name)
        if not self._holds(raw, kept, champion):
            return None
        now = self._now()
        status, reasons = await self._status(kept.entity, now, [])
        return self._tell(self._repeat(kept, traceparent), status, reasons, now, started)

    def _holds(self, raw: bytes, kept: Repeated, champion: Champion) -> bool:
        if champion is kept.champion and kept.changes == self._generations.changes and kept.until > time.monotonic():
            return True
        self._repeated.drop(raw)
        return False

    def _repeat(self, kept: Repeated, traceparent: str) -> _Said:
        self._observe("l1", True)
        return _Said(kept.by, kept.entity, kept.given, kept.answer, "l1", kept.ready, kept.as_of, traceparent)

    def soon(self, question: Question) -> Soon | None:
        """As `run`, where the shared cache's answer is all that has to be waited for. None: `run` it."""
        champion = self._models.at_once(question.model)
        if champion is None or champion.canary is not None or question.features is None:
            return None
        started, spec = time.perf_counter(), champion.loaded.spec
        given, ignored = known(spec, question.features)
        if given is None or (spec.related is not None and spec.related(given) is not None):
            return None
        told = encode_sorted(given)
        asked = self._cache.ask(key_of(champion, self._generations.of(predictions(spec.name)), question.entity, told), champion.loaded.name)
        if asked is None:
            return None
        return Soon(asked.answered, partial(self._heard, question, champion, told, ignored, asked, self._generations.changes, started))

    def _heard(self, question: Question, champion: Champion, given: bytes, ignored: list[str], asked: Asked, changes: int, started: float) -> Answer | None:
        answer, now = asked.answer(), self._now()
        if not isinstance(answer, CachedAnswer):
            question.shared = answer
            return None
        seen = self._seen.known(question.entity, now)
        if seen is None:
            return None
        if answer.features_as_of is not None:  # it was made from stored features, equal to these
            answer = replace(answer, features_as_of=None)
        head = ready(champion, question.entity, ignored, answer)
        said = _Said(champion, question.entity, given, answer, "l2", head, None, question.traceparent)
        self._keep(question.raw, champion, said, changes, answer.seconds_left)
        return self._tell(said, STATUS[seen], [], now, started)

    async def run(self, question: Question) -> Answer:
        """Raises NoChampion, NothingKnown, Unavailable (stored features cannot be looked up)."""
        started = time.perf_counter()
        champion = await self._models.champion(question.model)
        changes, found = self._generations.changes, Round()
        given, ignored = known(champion.loaded.spec, question.features)
        by = champion if champion.canary is None else champion.of(question.entity)
        try:
            answer, layer = await self._answer(by, question, given, found)
        except (CanaryFailed, Unavailable):
            if by is champion:
                raise
            by = champion
            answer, layer = await self._answer(by, question, given, found)
        head = ready(by, question.entity, ignored, answer)
        said = _Said(by, question.entity, encode(given or {}), answer, layer, head, answer.features_as_of, question.traceparent)
        if found.whole and not found.reasons:
            self._keep(question.raw, champion, said, changes, min(answer.seconds_left, found.seconds_left))
        now = self._now()
        status, reasons = await self._status(question.entity, now, found.reasons)
        return self._tell(said, status, reasons, now, started)

    async def _answer(self, champion: Champion, question: Question, given: Mapping[str, Any] | None, found: Round) -> tuple[CachedAnswer, Layer | None]:
        generation, entity = self._generations.of(predictions(champion.loaded.spec.name)), question.entity
        try:
            asked = await self._requests.of(champion.loaded.spec, entity, given, found)
        except Unavailable:
            return await self._source.last_answer(champion, generation, entity, found)
        return await self._source.answer(champion, generation, entity, asked, found, question.shared)

    def _keep(self, raw: bytes, champion: Champion, said: _Said, changes: int, seconds: float) -> None:
        if not 0 < len(raw) <= LONGEST_REPEATED or seconds <= 0:
            return
        size = len(raw) + len(said.ready.head) + len(said.answer.body) + len(said.answer.features)
        until = time.monotonic() + seconds
        kept = Repeated(champion, said.champion, changes, until, said.entity, said.given, said.answer, said.ready, said.as_of)
        self._repeated.put(raw, kept, size)

    async def _status(self, entity: str, now: datetime, reasons: list[str]) -> tuple[BloomStatus, list[str]]:
        try:
            return STATUS[self._seen.known(entity, now) or await self._seen.seen(entity, now)], reasons
        except Unavailable:
            return "unknown", [*reasons, "seen_index_unavailable"]

    def _tell(self, said: _Said, status: BloomStatus, reasons: list[str], now: datetime, started: float) -> Answer:
        loaded, cached, answer = said.champion.loaded, said.layer is not None, said.answer
        if said.as_of is not None and now - said.as_of > loaded.spec.stale_after:
            reasons = [*reasons, "features_stale"]
        seconds, prediction_id = time.perf_counter() - started, self._ids.next()
        self._log.record(
            PredictionRecord(prediction_id, said.champion, said.entity, said.given, answer.body, answer.features, seconds, cached, now, said.traceparent)
        )
        body = said.ready.body(prediction_id, cached, seconds, status, reasons)
        return Answer(body, loaded.spec.name, loaded.version, said.layer, seconds, bool(reasons))
