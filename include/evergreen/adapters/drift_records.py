"""`ports.drift_records` on Postgres. What a page shows is cut out of the reports' JSON there: a profile stays behind unless it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.ports.drift_records import Row

_COLUMNS = "r.id, r.model, r.version, r.first_day, r.last_day, r.n, r.score, r.drifted, r.time"
_NEWEST = "ORDER BY r.last_day DESC, r.first_day DESC, r.version DESC, r.model"
_TIMELINE = f"""
SELECT {_COLUMNS}, r.report_url IS NOT NULL AS pictured,
       ARRAY(SELECT one ->> 'feature' FROM jsonb_array_elements(r.features -> 'results') one WHERE (one ->> 'drifted')::boolean) AS affected,
       ARRAY(SELECT one ->> 'feature' FROM jsonb_array_elements(r.features -> 'losses') one WHERE (one ->> 'drifted')::boolean) AS lost
FROM drift_reports r WHERE $1::text IS NULL OR r.model = $1 {_NEWEST} LIMIT $2
"""
_HEAT = f"""
SELECT {_COLUMNS},
       (SELECT jsonb_agg(jsonb_build_object('feature', one -> 'feature', 'score', one -> 'score', 'statistic', one -> 'statistic',
                                            'q_value', one -> 'q_value', 'drifted', one -> 'drifted'))
        FROM jsonb_array_elements(r.features -> 'results') one) AS cells
FROM drift_reports r WHERE r.model = $1 {_NEWEST} LIMIT $2
"""
_REPORT = f"""
SELECT {_COLUMNS}, r.action_id, r.report_url IS NOT NULL AS pictured, r.features - 'profile' AS found, r.features ? 'profile' AS profiled
FROM drift_reports r WHERE r.id = $1
"""
_PROFILES = """
SELECT p.body AS reference, r.features -> 'profile' AS current
FROM drift_reports r LEFT JOIN reference_profiles p ON p.model = r.model AND p.version = r.version WHERE r.id = $1
"""
_DATASETS = """
SELECT dataset, count(*) AS batches, sum(rows)::bigint AS rows, sum(quarantined)::bigint AS quarantined,
       count(*) FILTER (WHERE incident) AS incidents, count(*) FILTER (WHERE status = 'rejected') AS rejected,
       count(*) FILTER (WHERE issues <> '[]') AS flagged, max(last_day) AS last_day, max(ingested_time) AS last_time
FROM batches GROUP BY dataset ORDER BY dataset
"""
_BATCHES = """
SELECT dataset, batch_id, first_day, last_day, rows, quarantined, status, incident, issues, ingested_time
FROM batches WHERE $1::text IS NULL OR dataset = $1 ORDER BY ingested_time DESC, dataset, batch_id LIMIT $2
"""


class PostgresDriftRecords:
    def __init__(self, postgres: AsyncPostgres) -> None:
        self._postgres = postgres

    async def timeline(self, model: str | None, limit: int) -> Sequence[Row]:
        return await self._postgres.fetch(_TIMELINE, model, limit)

    async def heat(self, model: str, windows: int) -> Sequence[Row]:
        return await self._postgres.fetch(_HEAT, model, windows)

    async def report(self, report_id: UUID) -> Row | None:
        return await self._postgres.fetch_row(_REPORT, report_id)

    async def profiles(self, report_id: UUID) -> Row | None:
        return await self._postgres.fetch_row(_PROFILES, report_id)

    async def datasets(self) -> Sequence[Row]:
        return await self._postgres.fetch(_DATASETS)

    async def batches(self, dataset: str | None, limit: int) -> Sequence[Row]:
        return await self._postgres.fetch(_BATCHES, dataset, limit)
