"""The system for the routes: readings, topics, logs, alerts, silences."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol
from uuid import UUID

from evergreen.adapters.alert_rows import AlertRows, silence_said
from evergreen.adapters.log_lines import LogFolder
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.contracts.api_system import (
    AlertList,
    LogLines,
    SilenceList,
    SilenceRequest,
    SilenceSaid,
    SystemNow,
    SystemSeries,
    TopicList,
    TopicSaid,
)
from evergreen.core.clock import Clock, wall_now
from evergreen.services.once import Keyed
from evergreen.services.show_system import ShowSystem
from evergreen.services.silence import SilenceAlerts
from serving.kept import Kept
from serving.keyed import answered_once
from serving.own_store import OwnStore

NOW_SECONDS, TOPICS_SECONDS, USABLE_SECONDS = 2.0, 5.0, 60.0


class Topics(Protocol):
    def look(self) -> list[TopicSaid]:
        """Blocks. Raises Unavailable."""


class SystemDesk(Protocol):
    """What the routes ask. Every call raises Unavailable."""

    async def now(self) -> SystemNow: ...
    async def series(self, minutes: int) -> SystemSeries: ...
    async def topics(self) -> TopicList: ...
    async def log(self, limit: int, level: str | None, part: str | None) -> LogLines: ...
    async def alerts(self, limit: int) -> AlertList: ...
    async def silences(self, limit: int) -> SilenceList: ...
    async def silence(self, asked: SilenceRequest, who: str, keyed: Keyed | None) -> SilenceSaid: ...
    async def end_silence(self, silence_id: UUID, who: str) -> SilenceSaid: ...


@dataclass(frozen=True)
class RealSystemDesk:
    system: ShowSystem
    rows: AlertRows
    logs: LogFolder
    kept_now: Kept[SystemNow]
    kept_topics: Kept[TopicList]
    stores: OwnStore
    clock: Clock

    async def now(self) -> SystemNow:
        return await self.kept_now.get()

    async def series(self, minutes: int) -> SystemSeries:
        return await self.system.series(minutes)

    async def topics(self) -> TopicList:
        return await self.kept_topics.get()

    async def log(self, limit: int, level: str | None, part: str | None) -> LogLines:
        lines = await asyncio.to_thread(partial(self.logs.newest, limit, level=level, part=part))
        return LogLines(kept=self.logs.kept(), lines=lines)

    async def alerts(self, limit: int) -> AlertList:
        return AlertList(alerts=await self.rows.alerts(limit))

    async def silences(self, limit: int) -> SilenceList:
        return SilenceList(silences=await self.rows.silences(self.clock.now(), limit))

    async def silence(self, asked: SilenceRequest, who: str, keyed: Keyed | None) -> SilenceSaid:
        """Raises InvalidRequest, KeyReused."""

        def work(store: PostgresStore) -> SilenceSaid:
            return answered_once(store, keyed, SilenceSaid, lambda: begun(SilenceAlerts(store, self.clock), asked, who, self.clock.now()))

        return await self.stores.use(work)

    async def end_silence(self, silence_id: UUID, who: str) -> SilenceSaid:
        """Raises NotFound."""
        ended = await self.stores.use(lambda store: SilenceAlerts(store, self.clock).end(str(silence_id), who))
        return silence_said(ended, self.clock.now())


def begun(service: SilenceAlerts, asked: SilenceRequest, who: str, now: datetime) -> SilenceSaid:
    lasts = timedelta(minutes=asked.minutes)
    made = service.begin(lasts=lasts, who=who, reason=asked.reason, model=asked.model, event_type=asked.event_type, up_to=asked.up_to)
    return silence_said(made, now)


def build_system_desk(system: ShowSystem, rows: AlertRows, topics: Topics, logs: LogFolder, stores: OwnStore, clock: Clock) -> RealSystemDesk:
    async def look() -> TopicList:
        return TopicList(topics=await asyncio.to_thread(topics.look), at=wall_now())

    now = Kept(system.current, fresh=NOW_SECONDS, usable=USABLE_SECONDS)
    return RealSystemDesk(system, rows, logs, now, Kept(look, fresh=TOPICS_SECONDS, usable=USABLE_SECONDS), stores, clock)
