"""Where an answer comes from: the cache, the model, or, when neither can, what was said a while ago."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import structlog

from evergreen.core.errors import EvergreenError, Unavailable
from evergreen.ports.cache import CachedAnswer, Layer, Nothing, PredictionCache
from evergreen.ports.serving import Champion, LoadedModel
from evergreen.services.prediction_answers import encode
from evergreen.services.prediction_request import Asked, Round, cache_key, features_away, last_key, row_of, told
from evergreen.services.single_flight import SingleFlight

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Made:
    answer: CachedAnswer
    layer: Layer | None
    cache_away: bool
    stale: bool = False


class PredictionSource:
    def __init__(self, cache: PredictionCache, pool: Executor | None) -> None:
        self._cache = cache
        self._pool = pool
        self._flights: SingleFlight[_Made] = SingleFlight()

    async def answer(
        self, champion: Champion, generation: int, entity: str, asked: Asked, found: Round, shared: Nothing | None = None
    ) -> tuple[CachedAnswer, Layer | None]:
        """`shared`: what the shared cache has said already."""
        key = cache_key(champion, generation, entity, asked.values)
        last = last_key(champion, generation, entity) if asked.as_of is not None else None
        made, own = await self._flights.run(key, partial(self._make, champion, key, last, asked, found.whole, shared))
        if made.cache_away:
            found.lacks("cache_unavailable")
        if made.stale:
            found.lacks("model_failed", whole=False)
        answer = made.answer if made.answer.features_as_of == asked.as_of else replace(made.answer, features_as_of=asked.as_of)
        return answer, made.layer if own or made.layer is not None else "l1"

    async def last_answer(self, champion: Champion, generation: int, entity: str, found: Round) -> tuple[CachedAnswer, Layer]:
        """The feature store is away: what this version said of the entity a while ago, if anything. Raises Unavailable."""
        key = last_key(champion, generation, entity)
        try:
            hit = await self._cache.get(key, champion.loaded.name)
        except Unavailable:
            found.lacks("cache_unavailable")
            hit = None
        found.lacks("features_unavailable", whole=False)
        if hit is not None:
            return hit
        stale = self._cache.expired(key)
        if stale is None:
            raise features_away(entity)
        return stale, "l1"

    async def _make(self, champion: Champion, key: str, last: str | None, asked: Asked, whole: bool, shared: Nothing | None) -> _Made:
        away = shared == "away"
        if shared is None:
            try:
                hit = await self._cache.get(key, champion.loaded.name)
                if hit is not None:
                    return _Made(hit[0], hit[1], cache_away=False)
            except Unavailable:
                away = True
        try:
            row = row_of(champion.loaded.spec, asked.values)
            said = await self._compute(champion.loaded, asked.values, row)
        except EvergreenError:
            raise
        except Exception as error:  # the model's edge: a version that breaks on a request must not cost the answer it gave before
            stale = self._cache.expired(key)
            if stale is None:
                raise
            log.warning("model_failed", version=champion.loaded.name, error=f"{type(error).__name__}: {error}")
            return _Made(stale, "l1", away, stale=True)
        computed = CachedAnswer(encode(said), encode(told(asked.values, row)), champion.loaded.name, asked.as_of)
        seconds = self._keep(key, last, computed) if whole else 0.0
        return _Made(replace(computed, seconds_left=seconds), None, away)

    def _keep(self, key: str, last: str | None, computed: CachedAnswer) -> float:
        if last is not None:
            self._cache.put(last, computed)
        return self._cache.put(key, computed)

    async def _compute(self, loaded: LoadedModel, request: Mapping[str, Any], row: Mapping[str, float] | None) -> dict[str, Any]:
        rows = None if row is None else [row]
        if loaded.inline or self._pool is None:
            [answer] = loaded.answering.answer([request], rows)
        else:
            [answer] = await asyncio.get_running_loop().run_in_executor(self._pool, loaded.answering.answer, [request], rows)
        return answer
