"""What the monitor measured, as serving shows it: table `metrics`, aggregated where it lies.

Its times are platform time, which a replay moves in jumps. When something was measured is in its id: a UUIDv7 begins with the milliseconds
of wall time, so that the key (source, id, time) finds the newest half hour in each partition without reading the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.contracts.api_system import HopSaid, LoopQueues, PartSaid, SystemPoint
from evergreen.ports.monitoring import ServiceReadings

SOURCE = "/monitor"
NEWEST, BEFORE = timedelta(seconds=45), timedelta(minutes=10)
"""What counts as now, and what it is compared with."""

_TELLS = "SELECT service, uuid_extract_timestamp(id::uuid) AS at, id, metrics FROM metrics WHERE source = $1 AND id >= $2"
_READINGS = f"""
SELECT service, name, max(at) AS at, (array_agg(value ORDER BY at DESC) FILTER (WHERE at >= $3))[1] AS value, avg(value) FILTER (WHERE at < $3) AS before
FROM ({_TELLS}) told, LATERAL (SELECT key AS name, value::float8 AS value FROM jsonb_each_text(told.metrics)) one GROUP BY service, name
"""
_NEWEST = f"SELECT DISTINCT ON (service) service, at, metrics FROM ({_TELLS}) told ORDER BY service, id DESC"
_SERIES = f"""
SELECT to_timestamp(floor(extract(epoch FROM at) / $3) * $3) AS at, {{columns}}
FROM ({_TELLS}) told WHERE service = 'serving' GROUP BY 1 ORDER BY 1
"""
_SERIES = _SERIES.format(columns=", ".join(f"avg((metrics->>'{name}')::float8) AS {name}" for name in SystemPoint.model_fields if name != "at"))
_HOPS = """
SELECT name, count(seconds) AS count, percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY seconds) AS found FROM (
    SELECT hop.name, extract(epoch FROM hop.took)::float8 AS seconds FROM (SELECT * FROM events ORDER BY seq DESC LIMIT 1000) e
    LEFT JOIN decisions d ON d.event_source = e.source AND d.event_id = e.id,
    LATERAL (VALUES ('receive', e.received_at - e.produced_at), ('decide', d.recorded_at - e.received_at)) hop (name, took)) each
GROUP BY name ORDER BY name DESC
"""
_LAG = "lag_"


class SystemReadings:
    """Every call raises Unavailable."""

    def __init__(self, postgres: AsyncPostgres) -> None:
        self._postgres = postgres

    async def readings(self, now: datetime) -> Mapping[str, ServiceReadings]:
        """Service -> its numbers: newest, and the mean of the minutes before."""
        rows = await self._postgres.fetch(_READINGS, SOURCE, first_id(now - NEWEST - BEFORE), now - NEWEST)
        found: dict[str, ServiceReadings] = {}
        for row in rows:
            found.setdefault(row["service"], {})[row["name"]] = (row["value"], row["before"])
        return found

    async def parts(self, now: datetime) -> tuple[list[PartSaid], LoopQueues | None, datetime | None]:
        """As they were last told of within ten minutes, the loop's queues, and when the newest was told."""
        rows = await self._postgres.fetch(_NEWEST, SOURCE, first_id(now - BEFORE))
        told = {row["service"]: row["metrics"] for row in rows}
        parts = [_part(row["service"], row["at"], row["metrics"]) for row in rows if "up" in row["metrics"]]
        return parts, _queues(told.get("intake", {})), max((row["at"] for row in rows), default=None)

    async def series(self, since: datetime, step: int) -> Sequence[SystemPoint]:
        rows = await self._postgres.fetch(_SERIES, SOURCE, first_id(since), float(step))
        return [SystemPoint(**row) for row in rows]

    async def hops(self) -> list[HopSaid]:
        return [_hop(row["name"], row["count"], row["found"] or [None] * 3) for row in await self._postgres.fetch(_HOPS)]


def first_id(at: datetime) -> str:
    """The smallest UUIDv7 made at this instant or later, as text."""
    digits = f"{max(0, int(at.timestamp() * 1000)):012x}"
    return f"{digits[:8]}-{digits[8:]}-7000-8000-000000000000"


def _part(name: str, at: datetime, numbers: Mapping[str, float]) -> PartSaid:
    lag = {key.removeprefix(_LAG): int(value) for key, value in numbers.items() if key.startswith(_LAG)}
    return PartSaid(name=name, up=bool(numbers["up"]), faults=int(numbers.get("faults", 0)), told_at=at, lag=lag)


def _queues(numbers: Mapping[str, float]) -> LoopQueues | None:
    if "unsent" not in numbers:
        return None
    return LoopQueues(unsent=int(numbers["unsent"]), oldest_unsent_seconds=numbers["oldest_unsent_seconds"], dead_letters=int(numbers["dead_letters"]))


def _hop(name: Any, count: int, found: Sequence[float | None]) -> HopSaid:
    return HopSaid(name=name, count=count, p50_seconds=found[0], p95_seconds=found[1], p99_seconds=found[2])
