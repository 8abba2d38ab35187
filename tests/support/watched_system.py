"""A system nothing is wrong with, for the routes of a worker of twins; silences are kept in a store in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from evergreen.adapters.alert_rows import silence_said
from evergreen.adapters.memory.notifications import MemoryNotifyStore
from evergreen.contracts.api_system import (
    AlertList,
    HopSaid,
    LogLines,
    LoopQueues,
    PartSaid,
    SilenceList,
    SilenceRequest,
    SilenceSaid,
    SystemNow,
    SystemPoint,
    SystemSeries,
    TopicList,
)
from evergreen.core.clock import Clock
from evergreen.core.errors import Unavailable
from evergreen.ports.monitoring import ServiceReadings
from evergreen.services.once import Keyed
from evergreen.services.show_system import ShowSystem
from evergreen.services.silence import SilenceAlerts
from serving.keyed import answered_once
from serving.system_desk import begun

WALL = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Measurements:
    """What a monitor would have told."""

    def __init__(self) -> None:
        self.away = False
        self.points = [SystemPoint(**{name: WALL if name == "at" else 1.0 for name in SystemPoint.model_fields})]
        self.since: datetime | None = None
        self.step = 0

    async def readings(self, now: datetime) -> Mapping[str, ServiceReadings]:
        if self.away:
            raise Unavailable("Postgres does not answer")
        return {"serving": {"requests_per_minute": (120.0, 60.0), "p99_milliseconds": (None, 12.0)}, "host": {"load_percent": (50.0, 40.0)}}

    async def parts(self, now: datetime) -> tuple[list[PartSaid], LoopQueues | None, datetime | None]:
        part = PartSaid(name="intake", up=True, faults=0, told_at=WALL, lag={"evergreen-intake": 3})
        return [part], LoopQueues(unsent=0, oldest_unsent_seconds=0.0, dead_letters=1), WALL

    async def series(self, since: datetime, step: int) -> Sequence[SystemPoint]:
        self.since, self.step = since, step
        return self.points

    async def hops(self) -> list[HopSaid]:
        return [HopSaid(name="receive", count=0, p50_seconds=None, p95_seconds=None, p99_seconds=None)]


class WatchedSystem:
    def __init__(self, clock: Clock) -> None:
        self.clock, self.store, self.measured = clock, MemoryNotifyStore(), Measurements()
        self.shown = ShowSystem(self.measured, clock.now, lambda: WALL)

    async def now(self) -> SystemNow:
        return await self.shown.current()

    async def series(self, minutes: int) -> SystemSeries:
        return await self.shown.series(minutes)

    async def topics(self) -> TopicList:
        return TopicList(topics=[], at=WALL)

    async def log(self, limit: int, level: str | None, part: str | None) -> LogLines:
        return LogLines(kept=True, lines=[])

    async def alerts(self, limit: int) -> AlertList:
        return AlertList(alerts=[])

    async def silences(self, limit: int) -> SilenceList:
        with self.store.transaction() as tx:
            rows = tx.silences.newest(limit)
        return SilenceList(silences=[silence_said(row, self.clock.now()) for row in rows])

    async def silence(self, asked: SilenceRequest, who: str, keyed: Keyed | None) -> SilenceSaid:
        return answered_once(self.store, keyed, SilenceSaid, lambda: begun(self._alerts(), asked, who, self.clock.now()))

    async def end_silence(self, silence_id: UUID, who: str) -> SilenceSaid:
        return silence_said(self._alerts().end(str(silence_id), who), self.clock.now())

    def _alerts(self) -> SilenceAlerts:
        return SilenceAlerts(self.store, self.clock)
