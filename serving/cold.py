"""What only FastAPI's routes use: built with its application, after the worker answers its hot routes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from evergreen.adapters.cache_generations import PostgresGenerations
from evergreen.adapters.loop_records import LoopRecords
from evergreen.adapters.redis_cache import RedisIdempotencyKeys
from evergreen.bootstrap import Parts
from evergreen.contracts.api import DeploymentPage, ModelState
from evergreen.contracts.api_records import (
    ActionFilter,
    ActionPage,
    DecisionFilter,
    DecisionPage,
    DecisionRecord,
    EventFilter,
    EventPage,
    EventRecord,
    Explanation,
)
from evergreen.core.explanation import About
from evergreen.services.clear_cache import ClearCache
from evergreen.services.feedback import TakeFeedback
from evergreen.settings import Settings
from serving.champion_listener import ChampionListener
from serving.clock import PlatformTime
from serving.dependencies import Links

FEEDBACK_THREADS = 10


class Records(Protocol):
    async def models(self) -> list[ModelState]: ...
    async def history(self, model: str, limit: int, cursor: str | None) -> DeploymentPage: ...
    async def events(self, wanted: EventFilter) -> EventPage: ...
    async def event(self, event_id: str) -> EventRecord: ...
    async def decisions(self, wanted: DecisionFilter) -> DecisionPage: ...
    async def decision(self, model: str, seq: int) -> DecisionRecord: ...
    async def actions(self, wanted: ActionFilter) -> ActionPage: ...
    async def explain(self, name: str, about: About | None = None) -> Explanation: ...


@dataclass(frozen=True)
class Cold:
    feedback: TakeFeedback
    clear_cache: ClearCache
    records: Records


def build_cold(settings: Settings, parts: Parts, links: Links, clock: PlatformTime, listener: ChampionListener) -> Cold:
    return Cold(
        feedback=TakeFeedback(
            specs=parts.specs,
            publisher=links.kafka,
            keys=RedisIdempotencyKeys(links.redis),
            now=clock.now,
            pool=ThreadPoolExecutor(FEEDBACK_THREADS, thread_name_prefix="feedback"),
        ),
        clear_cache=ClearCache(PostgresGenerations(links.postgres), listener.learned, list(parts.specs)),
        records=LoopRecords(links.postgres, list(parts.specs), settings.airflow.url),
    )
