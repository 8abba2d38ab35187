"""Everything a worker consists of, joined once. Tests join the same class with twins of the parts."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from evergreen.adapters.async_postgres import AsyncPostgres, connections_of
from evergreen.adapters.fleet_registry import PostgresFleet
from evergreen.adapters.job_desk import PostgresJobDesk
from evergreen.adapters.kafka_telemetry import KafkaTelemetry
from evergreen.adapters.last_champions import LastChampions
from evergreen.adapters.local_bloom import LocalSeenIndex
from evergreen.adapters.online_features import OnlineFeatureStore
from evergreen.adapters.redis_cache import LayeredCache
from evergreen.adapters.redis_link import RedisLink
from evergreen.bootstrap import Parts
from evergreen.core.errors import NotFound, Unavailable
from evergreen.core.generations import Generations
from evergreen.core.pool_budget import check_budget, share
from evergreen.environment import service_name
from evergreen.ports.model import ModelSpec
from evergreen.services.predict import Predict
from evergreen.services.predict_batch import PredictBatch
from serving.auth.build import Access, build_access
from serving.champion_listener import ChampionListener
from serving.clock import PlatformTime
from serving.job_starter import JobStarter
from serving.loader import VersionLoader
from serving.metrics import Metrics
from serving.model_slot import ModelSlots
from serving.prediction_log import KafkaPredictionLog

if TYPE_CHECKING:
    from evergreen.adapters.kafka import KafkaPublisher
    from evergreen.settings import Settings
    from serving.cold import Cold

FIRST_CHAMPION_SECONDS = 20.0
"""A worker takes no connection before it can answer it: with others on the port nobody hears of its start. After this it does, and says why not."""
LOG_FLUSH_SECONDS = 3.0
PREDICTION_THREADS = 10
log = structlog.get_logger(__name__)


class Closable(Protocol):
    async def close(self) -> None: ...


@dataclass
class Serving:
    worker_id: str
    video_model: str
    predict: Predict
    predict_batch: PredictBatch
    slots: ModelSlots
    listener: ChampionListener
    log: KafkaPredictionLog
    metrics: Metrics
    specs: Mapping[str, ModelSpec]
    """Of every model there is, with or without a champion."""
    now: Callable[[], datetime]
    pool: Executor
    """For what would hold up the event loop."""
    access: Access
    """Who is let in."""
    cold: Callable[[], Cold]
    """Built with FastAPI's application, once."""
    closing: list[Closable] = field(default_factory=list)
    starter: JobStarter | None = None
    draining: bool = False
    _goodbyes: list[Callable[[], None]] = field(default_factory=list)

    def when_draining(self, goodbye: Callable[[], None]) -> None:
        """Called once, when the worker begins to go; at once if it does."""
        if self.draining:
            goodbye()
        else:
            self._goodbyes.append(goodbye)

    async def start(self) -> None:
        """Returns when it can answer, or after FIRST_CHAMPION_SECONDS."""
        self.log.start()
        self.access.follower.start()
        self.listener.start()
        ready = await self.listener.settle(FIRST_CHAMPION_SECONDS)
        await self.access.follower.settle()
        self.metrics.workers.set(not self.draining)
        if self.starter is not None and not self.draining:
            self.starter.start()
        log.info("worker_started", worker=self.worker_id, ready=ready, missing="" if ready else self.listener.missing())

    async def drain(self) -> None:
        self.draining = True
        self.metrics.workers.set(0)
        for goodbye in self._goodbyes:
            goodbye()
        await self.listener.drain()

    async def stop(self) -> None:
        if self.starter is not None:
            await self.starter.stop()
        await self.listener.stop()
        await self.access.follower.stop()
        await self.log.stop(LOG_FLUSH_SECONDS)
        for part in self.closing:
            await part.close()


def video_model(specs: Mapping[str, ModelSpec]) -> str:
    for name, spec in specs.items():
        if spec.entity_column == "video_id":
            return name
    raise NotFound("no model predicts videos")


class Links:
    """The ways to the parts. Nothing is connected yet."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        breaker = metrics.breaker_open.labels("redis")
        self.postgres = _postgres(settings)
        self.redis = RedisLink(settings.redis.url.get_secret_value(), settings.redis.timeout_seconds, on_change=lambda is_open: breaker.set(is_open))
        self.generations = Generations()
        postgres = metrics.breaker_open.labels("postgres")
        self.features = OnlineFeatureStore(self.postgres, self.redis, self.generations, on_breaker=lambda is_open: postgres.set(is_open))
        self._kafka = settings.kafka
        self.telemetry = KafkaTelemetry(settings.kafka, on_drop=metrics.dropped)

    @cached_property
    def kafka(self) -> KafkaPublisher:
        from evergreen.adapters.kafka import KafkaPublisher

        return KafkaPublisher(self._kafka)

    async def close(self) -> None:
        if "kafka" in self.__dict__:
            await asyncio.to_thread(self.kafka.close, LOG_FLUSH_SECONDS)


def _postgres(settings: Settings) -> AsyncPostgres:
    pool = settings.postgres.pool
    own = share(pool.size, pool.overflow, settings.serving.max_workers)
    return AsyncPostgres(settings.postgres.dsn.get_secret_value(), kept=own.kept, max_connections=own.most, recycle_seconds=pool.recycle_seconds)


@dataclass(frozen=True)
class Joined:
    """What the cold parts share with the hot ones."""

    parts: Parts
    links: Links
    clock: PlatformTime
    listener: ChampionListener
    starter: JobStarter
    access: Access
    slots: ModelSlots
    pool: Executor
    metrics: Metrics


def build(settings: Settings, metrics: Metrics) -> Serving:
    """Called on the event loop's thread."""
    parts, links = Parts(settings), Links(settings, metrics)
    slots, clock = ModelSlots(), PlatformTime()
    log = KafkaPredictionLog(links.telemetry, on_drop=metrics.dropped)
    listener = _listener(parts, links, slots, clock, metrics)
    pool = ThreadPoolExecutor(PREDICTION_THREADS, thread_name_prefix="predict")
    starter = JobStarter(PostgresJobDesk(links.postgres), most=settings.jobs.max_running, poll_seconds=settings.jobs.poll_seconds)
    asked = _asked(settings, links, slots, clock, log, metrics, pool)
    access = build_access(settings, links.postgres, links.redis, on_degraded=metrics.limiter_degraded.set, refused=metrics.refused)
    return Serving(
        worker_id=listener.worker_id,
        video_model=video_model(parts.specs),
        predict=Predict(**asked, observe=metrics.looked_up),
        predict_batch=PredictBatch(**asked),
        slots=slots,
        listener=listener,
        log=log,
        metrics=metrics,
        specs=parts.specs,
        now=clock.now,
        pool=pool,
        starter=starter,
        access=access,
        cold=partial(_cold, settings, Joined(parts, links, clock, listener, starter, access, slots, pool, metrics)),
        closing=[links, links.redis, links.postgres],
    )


async def refuse_a_pool_too_large(settings: Settings) -> None:
    """Raises UnsafeSettings where all workers together could take more connections than Postgres has for them. Without Postgres nobody can say."""
    pool, dsn = settings.postgres.pool, settings.postgres.dsn.get_secret_value()
    if not dsn:
        return
    try:
        available = await connections_of(dsn)
    except Unavailable as error:
        log.warning("pool_not_checked", reason=str(error))
        return
    check_budget(pool.size, pool.overflow, settings.serving.max_workers, pool.reserve, available)


def _asked(
    settings: Settings, links: Links, slots: ModelSlots, clock: PlatformTime, log: KafkaPredictionLog, metrics: Metrics, pool: Executor
) -> dict[str, Any]:
    """What one prediction and many ask."""
    return {
        "models": slots,
        "cache": LayeredCache(links.redis, settings.serving.cache_ttl_seconds, observe=metrics.looked_up),
        "features": links.features,
        "seen": LocalSeenIndex(links.redis),
        "log": log,
        "now": clock.now,
        "pool": pool,
        "generations": links.generations,
    }


def _listener(parts: Parts, links: Links, slots: ModelSlots, clock: PlatformTime, metrics: Metrics) -> ChampionListener:
    return ChampionListener(
        fleet=PostgresFleet(links.postgres, list(parts.specs)),
        slots=slots,
        load=VersionLoader(parts.registry, parts.specs).load,
        memory=LastChampions(parts.settings.home / "data" / "models" / "champions.json"),
        clock=clock,
        worker_id=f"{service_name('serving')}:{os.getpid()}:{secrets.token_hex(3)}",
        pid=os.getpid(),
        on_swap=metrics.swapped,
        on_canary_fault=metrics.canary_failed,
        generations=links.generations,
    )


def _cold(settings: Settings, joined: Joined) -> Cold:
    from evergreen.settings_copy import whole_settings
    from serving.cold import build_cold

    return build_cold(whole_settings(settings), joined)
