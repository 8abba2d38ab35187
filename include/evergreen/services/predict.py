"""One prediction: the champion's answer on given or stored features, cached by version, with what the seen index says.

Guarantee: an answer comes from one version (the reference is taken once), and is the same with and without cache and Redis but for
`cached`, `processing_time`, `prediction_id` and what is said about degradation. Failure: Redis or Postgres does not answer in time.
Remedy: the answer says `degraded` and why; what was computed without something it would have used is not cached."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from evergreen.contracts.ids import canonical_json, new_id
from evergreen.core.errors import NotFound, Unavailable
from evergreen.ports.cache import CachedAnswer, Layer, PredictionCache
from evergreen.ports.model import ModelSpec
from evergreen.ports.serving import Champion, FeatureStore, LoadedModel, PredictionLog, PredictionRecord, SeenIndex, ServedModels

if TYPE_CHECKING:
    from evergreen.contracts.api import BloomStatus

_STATUS: Mapping[str, BloomStatus] = {"MAYBE": "probably seen in the last 7 days", "NO": "not seen in the last 7 days"}
_encode = msgspec.json.Encoder().encode


class NothingKnown(NotFound):
    """No features were given and the feature store has none of the entity."""


@dataclass(frozen=True)
class Question:
    model: str
    entity: str
    features: Mapping[str, Any] | None = None
    """None: the feature store's."""
    traceparent: str = ""


@dataclass(frozen=True)
class Answer:
    body: bytes
    """JSON object, ready to send."""
    model: str
    version: int
    layer: Layer | None
    """Of the cache it came from."""
    seconds: float
    degraded: bool


@dataclass
class _Round:
    """What one request finds out on its way."""

    reasons: list[str] = field(default_factory=list)
    whole: bool = True
    """Everything the answer should rest on was there: only then it may be cached."""

    def lacks(self, reason: str, *, whole: bool = True) -> None:
        if reason not in self.reasons:
            self.reasons.append(reason)
        self.whole = self.whole and whole


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
    ) -> None:
        self._models = models
        self._cache = cache
        self._features = features
        self._seen = seen
        self._log = log
        self._now = now
        self._pool = pool

    async def run(self, question: Question) -> Answer:
        """Raises NoChampion, NothingKnown, Unavailable (stored features cannot be looked up)."""
        started = time.perf_counter()
        champion = await self._models.champion(question.model)
        spec, found = champion.loaded.spec, _Round()
        given, ignored = _known(spec, question.features)
        cached, layer = await self._answer(champion, question.entity, given, found)
        now = self._now()
        if cached.features_as_of is not None and now - cached.features_as_of > spec.stale_after:
            found.lacks("features_stale")
        status = await self._status(question.entity, now, found)
        record = PredictionRecord(
            prediction_id=new_id(),
            champion=champion,
            entity=question.entity,
            given=given or {},
            answer=cached.body,
            features=cached.features,
            latency_seconds=time.perf_counter() - started,
            cached=layer is not None,
            time=now,
            traceparent=question.traceparent,
        )
        self._log.record(record)
        said = {
            **_said(record),
            "features_ignored": ignored,
            "features_as_of": cached.features_as_of,
            "bloom_filter_status": status,
            "degraded": bool(found.reasons),
            "degraded_reasons": found.reasons,
        }
        return Answer(_joined(said, cached.body), question.model, champion.loaded.version, layer, record.latency_seconds, bool(found.reasons))

    async def _answer(self, champion: Champion, entity: str, given: Mapping[str, Any] | None, found: _Round) -> tuple[CachedAnswer, Layer | None]:
        try:
            request, as_of = await self._request(champion.loaded.spec, entity, given, found)
        except Unavailable:
            return await self._last_answer(champion, entity, found)
        key = cache_key(champion, entity, request)
        hit = await self._from_cache(key, champion, found)
        if hit is not None:
            return replace(hit[0], features_as_of=as_of), hit[1]
        answer = await self._compute(champion.loaded, request)
        computed = CachedAnswer(_encode(answer), _encode(_asked(champion.loaded.spec, request)), champion.loaded.name, as_of)
        if found.whole:
            self._cache.put(key, computed)
            if given is None:
                self._cache.put(_last_key(champion, entity), computed)
        return computed, None

    async def _request(self, spec: ModelSpec, entity: str, given: Mapping[str, Any] | None, found: _Round) -> tuple[dict[str, Any], datetime | None]:
        """What the model is asked with: given or stored features, and what the store knows of what they refer to."""
        if given is not None:
            return await self._with_related(spec, {**given}, found), None
        stored = await self._features.get(spec.name, entity)
        if stored is None:
            raise NothingKnown(f"nothing is known of {entity!r}: send `features`, or ask again once a list with it was ingested")
        return await self._with_related(spec, {**stored.features}, found), stored.as_of

    async def _last_answer(self, champion: Champion, entity: str, found: _Round) -> tuple[CachedAnswer, Layer]:
        """The feature store is away: what this version said of the entity a moment ago, if anything. Raises Unavailable."""
        hit = await self._from_cache(_last_key(champion, entity), champion, found)
        if hit is None:
            raise Unavailable(f"the features of {entity!r} cannot be looked up now: send `features`, or try again")
        found.lacks("features_unavailable")
        return hit

    async def _from_cache(self, key: str, champion: Champion, found: _Round) -> tuple[CachedAnswer, Layer] | None:
        try:
            return await self._cache.get(key, champion.loaded.name)
        except Unavailable:
            found.lacks("cache_unavailable")
            return None

    async def _compute(self, loaded: LoadedModel, request: Mapping[str, Any]) -> dict[str, Any]:
        if loaded.inline or self._pool is None:
            [answer] = loaded.answering.answer([request])
        else:
            [answer] = await asyncio.get_running_loop().run_in_executor(self._pool, loaded.answering.answer, [request])
        return answer

    async def _with_related(self, spec: ModelSpec, request: dict[str, Any], found: _Round) -> dict[str, Any]:
        """Without the store: as it is, and degraded."""
        related = spec.related(request) if spec.related is not None else None
        if related is None:
            return request
        try:
            stored = await self._features.get(spec.name, related.entity)
        except Unavailable:
            found.lacks("features_unavailable", whole=False)
            return request
        return {**(related.unknown if stored is None else stored.features), **request}

    async def _status(self, entity: str, now: datetime, found: _Round) -> BloomStatus:
        try:
            return _STATUS[await self._seen.seen(entity, now)]
        except Unavailable:
            found.lacks("seen_index_unavailable")
            return "unknown"


def cache_key(champion: Champion, entity: str, request: Mapping[str, Any]) -> str:
    """Model, version, epoch, feature schema, entity, hash of everything the model is asked with: two questions share a key only if they
    share the answer, and new features in the store make a new key."""
    return f"{_prefix(champion)}:{entity}:{hashlib.sha256(canonical_json(dict(request))).hexdigest()}"


def _last_key(champion: Champion, entity: str) -> str:
    return f"{_prefix(champion)}:{entity}:last"


def _prefix(champion: Champion) -> str:
    loaded = champion.loaded
    return f"prediction:{loaded.spec.name}:{loaded.version}:{champion.epoch}:{loaded.schema_hash}"


def _known(spec: ModelSpec, features: Mapping[str, Any] | None) -> tuple[dict[str, Any] | None, list[str]]:
    """What the model can use, nulls left out, and the names it cannot."""
    if features is None:
        return None, []
    names = {*spec.feature_names, *spec.request_facts}
    return {name: value for name, value in features.items() if name in names and value is not None}, sorted(features.keys() - names)


def _asked(spec: ModelSpec, request: Mapping[str, Any]) -> Mapping[str, Any]:
    """With the feature row made of it: what the prediction log tells, so that another version can be asked the same."""
    return {**request, **spec.request_row(request)} if spec.request_row is not None else request


def _said(record: PredictionRecord) -> dict[str, Any]:
    return {
        "video_id": record.entity,
        "prediction_id": record.prediction_id,
        "model_version": record.champion.loaded.name,
        "epoch": record.champion.epoch,
        "cached": record.cached,
        "processing_time": round(record.latency_seconds, 6),
    }


def _joined(said: Mapping[str, Any], answer: bytes) -> bytes:
    """Two JSON objects as one, without reading the second."""
    return _encode(said)[:-1] + b"," + answer[1:]
