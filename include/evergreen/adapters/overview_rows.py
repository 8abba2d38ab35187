"""`ports.overview` on Postgres. Every statement ends at an index or at the newest few thousand rows: it is asked every other second."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.core.champion import LIVE_SECONDS
from evergreen.core.promises import HANDLING_SECONDS, Answered, Handling, Outcomes
from evergreen.ports.overview import Row

_NEWEST = 5_000
_MEASURED = 1_000
_BOOKKEEPING = ("timer_due", "action_requested", "action_completed", "system_alert")
_CLOCK = "SELECT mode, base, set_at, rate, epoch FROM platform_clock"
_ARRIVALS = f"""
WITH newest AS (SELECT received_at FROM events ORDER BY seq DESC LIMIT {_NEWEST}),
     aged AS (SELECT floor(greatest(extract(epoch FROM clock_timestamp() - received_at), 0) / 60)::bigint AS age FROM newest),
     reach AS (SELECT CASE WHEN count(*) < {_NEWEST} THEN $1::bigint ELSE least(max(age), $1) END AS minutes FROM aged)
SELECT minute, (SELECT count(*) FROM aged WHERE age = minute) AS events
FROM reach, generate_series(0::bigint, greatest(minutes, 1) - 1) AS minute ORDER BY minute
"""
_EVENTS = f"""
SELECT e.id, e.type, e.subject, e.time, e.received_at, d.severity, d.outcome, d.rule
FROM (SELECT * FROM (SELECT seq, source, id, type, subject, time, received_at FROM events ORDER BY seq DESC LIMIT {_NEWEST}) newest
      WHERE type <> ALL($2::text[]) ORDER BY seq DESC LIMIT $1) e
LEFT JOIN LATERAL (SELECT severity, outcome, rule FROM decisions
                   WHERE event_source = e.source AND event_id = e.id ORDER BY outcome = 'ignored', recorded_at LIMIT 1) d ON true
ORDER BY e.seq DESC
"""
_DECISION = """
SELECT model, seq, event_id, event_type, decided_at, recorded_at, severity, rule, outcome, body
FROM decisions WHERE outcome <> 'ignored' ORDER BY recorded_at DESC, model DESC, seq DESC LIMIT 1
"""
_OPEN = """
WITH open AS (SELECT a.id, a.kind, a.model, a.target, a.reason, a.severity, a.priority, a.status, a.event_type, a.accepted_at, a.due_at, a.attempts,
                     a.run_id, a.error,
                     EXISTS (SELECT FROM approvals p WHERE p.action_id = a.id AND p.token = a.token AND p.answered_at IS NULL) AS asking
              FROM actions a WHERE a.status IN ('pending', 'claimed', 'running'))
SELECT count(*) FILTER (WHERE status = 'pending') AS pending, count(*) FILTER (WHERE status <> 'pending') AS running,
       count(*) FILTER (WHERE asking) AS asking,
       coalesce((SELECT jsonb_agg(to_jsonb(f)) FROM (SELECT * FROM open ORDER BY status = 'pending', priority <> 'high', due_at LIMIT $1) f), '[]') AS first
FROM open
"""
_CHAMPIONS = """
SELECT c.model, c.version, c.epoch, c.since, d.stable_from IS NOT NULL AS stable, d.previous_version,
       (SELECT count(*) FROM serving_workers w WHERE w.state <> 'draining' AND w.heartbeat_at > clock_timestamp() - $1 * interval '1 second'
            AND w.serving -> c.model ->> 'version' = c.version::text) AS workers,
       r.id AS report_id, r.version AS watched, r.score, r.drifted, r.first_day, r.last_day, r.time,
       ARRAY(SELECT score FROM drift_reports t WHERE t.model = c.model ORDER BY time DESC, last_day DESC LIMIT $2) AS trend
FROM champions c
LEFT JOIN deployments d ON d.id = c.deployment_id
LEFT JOIN LATERAL (SELECT * FROM drift_reports r WHERE r.model = c.model ORDER BY time DESC, last_day DESC LIMIT 1) r ON true
ORDER BY c.model
"""
_FIRING = "SELECT name, severity, said_at FROM watches WHERE firing ORDER BY said_at DESC, name LIMIT $1"
_HANDLING = f"""
SELECT count(seconds) AS n, percentile_disc(0.99) WITHIN GROUP (ORDER BY seconds) AS p99, count(*) FILTER (WHERE seconds <= {HANDLING_SECONDS}) AS within
FROM (SELECT extract(epoch FROM max(d.recorded_at) - e.produced_at)::double precision AS seconds
      FROM (SELECT source, id, produced_at FROM events ORDER BY seq DESC LIMIT {_MEASURED}) e
      JOIN decisions d ON d.event_source = e.source AND d.event_id = e.id
      WHERE e.produced_at IS NOT NULL GROUP BY e.source, e.id, e.produced_at) handled
"""
_OUTCOMES = """
SELECT count(*) FILTER (WHERE status = 'succeeded') AS succeeded, count(*) FILTER (WHERE status = 'failed') AS failed
FROM actions WHERE accepted_at > $1
"""
_ANSWERED = """
WITH said AS (SELECT metrics FROM metrics WHERE service = 'serving' AND time > $1 AND time <= $2),
     windows AS (SELECT DISTINCT metrics ->> 'cpu_percent', metrics ->> 'mean_seconds', (metrics ->> 'requests')::float8 AS requests,
                        (metrics ->> 'errors')::float8 AS errors FROM said WHERE (metrics ->> 'requests')::float8 > 0)
SELECT (SELECT count(*) FROM said) AS probes, (SELECT count(*) FROM said WHERE (metrics ->> 'up')::float8 >= 1) AS up,
       coalesce(sum(requests), 0) AS requests, coalesce(sum(errors), 0) AS errors
FROM windows
"""
"""A window's numbers are published until the next one closes; they count once."""


class PostgresOverview:
    def __init__(self, postgres: AsyncPostgres) -> None:
        self._postgres = postgres

    async def clock(self) -> Row | None:
        return await self._postgres.fetch_row(_CLOCK)

    async def arrivals(self, minutes: int) -> Sequence[int]:
        return [row["events"] for row in await self._postgres.fetch(_ARRIVALS, minutes)]

    async def newest_events(self, limit: int) -> Sequence[Row]:
        return await self._postgres.fetch(_EVENTS, limit, list(_BOOKKEEPING))

    async def last_decision(self) -> Row | None:
        return await self._postgres.fetch_row(_DECISION)

    async def open_actions(self, limit: int) -> Row:
        return await self._one(_OPEN, limit)

    async def champions(self, trend: int) -> Sequence[Row]:
        return await self._postgres.fetch(_CHAMPIONS, LIVE_SECONDS, trend)

    async def firing(self, limit: int) -> Sequence[Row]:
        return await self._postgres.fetch(_FIRING, limit)

    async def handling(self) -> Handling:
        row = await self._one(_HANDLING)
        return Handling(row["n"], row["p99"], row["within"])

    async def outcomes(self, since: datetime) -> Outcomes:
        return Outcomes(**dict(await self._one(_OUTCOMES, since)))

    async def answered(self, since: datetime, until: datetime) -> Answered:
        return Answered(**dict(await self._one(_ANSWERED, since, until)))

    async def _one(self, query: str, *values: object) -> Row:
        """An aggregate has a row, whatever it counts."""
        found: Row = (await self._postgres.fetch(query, *values))[0]
        return found
