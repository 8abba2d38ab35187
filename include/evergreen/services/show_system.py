"""The system as it is now and how it came here: what the monitor measured, put into words for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from evergreen.contracts.api_system import HopSaid, LoopQueues, PartSaid, Reading, ServingReadings, SystemNow, SystemPoint, SystemSeries
from evergreen.ports.monitoring import ServiceReadings

MOST_POINTS = 360
SHORTEST_STEP = 10
"""Seconds between two tellings of the monitor."""


class Measured(Protocol):
    """Every call raises Unavailable."""

    async def readings(self, now: datetime) -> Mapping[str, ServiceReadings]: ...
    async def parts(self, now: datetime) -> tuple[list[PartSaid], LoopQueues | None, datetime | None]: ...
    async def series(self, since: datetime, step: int) -> Sequence[SystemPoint]: ...
    async def hops(self) -> list[HopSaid]: ...


class ShowSystem:
    def __init__(self, measured: Measured, now: Callable[[], datetime], wall: Callable[[], datetime]) -> None:
        """`now`: platform time."""
        self._measured = measured
        self._now = now
        self._wall = wall

    async def current(self) -> SystemNow:
        wall = self._wall()
        found = await self._measured.readings(wall)
        parts, queues, measured_at = await self._measured.parts(wall)
        host = found.get("host", {})
        return SystemNow(
            at=wall,
            platform_time=self._now(),
            measured_at=measured_at,
            serving=ServingReadings(**{name: _reading(found.get("serving", {}), name) for name in ServingReadings.model_fields}),
            host_load_percent=_reading(host, "load_percent"),
            host_memory_percent=_reading(host, "memory_percent"),
            parts=parts,
            hops=await self._measured.hops(),
            queues=queues,
        )

    async def series(self, minutes: int) -> SystemSeries:
        """At most MOST_POINTS points."""
        span = timedelta(minutes=minutes)
        step = max(SHORTEST_STEP, -(-int(span.total_seconds()) // MOST_POINTS))
        return SystemSeries(step_seconds=step, points=list(await self._measured.series(self._wall() - span, step)))


def _reading(numbers: ServiceReadings, name: str) -> Reading:
    value, before = numbers.get(name, (None, None))
    return Reading(value=value, before=before)
