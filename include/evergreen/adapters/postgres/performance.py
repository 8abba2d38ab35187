"""Tables `predictions` ⋈ `feedback`, `performance_reports` and `performance_estimates`."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from uuid import uuid4

import psycopg2.extensions
import psycopg2.extras

from evergreen.adapters.postgres.experiments import CLICKED
from evergreen.core.experiment_verdict import Counts
from evergreen.ports.performance import AskedPrediction, LabelledPrediction, PerformanceEstimate, PerformanceReport

_REPORT = "model, version, first_day, last_day, n, coverage, current, baseline, drop_low, drop_high, degraded, time, action_id, detail"
_ESTIMATE = "model, version, first_day, last_day, n, coverage, estimated, low, high, baseline, time, action_id"
_ASKED = """
    SELECT DISTINCT ON (entity) * FROM (
        SELECT p.entity, p.time, p.predicted, p.lower, p.upper, EXISTS (
            SELECT FROM feedback f WHERE f.model = p.model AND f.entity = p.entity AND f.time >= p.time AND f.time <= %(until)s) AS told
        FROM predictions p
        WHERE p.model = %(model)s AND p.version = %(version)s AND p.entity IS NOT NULL AND p.lower IS NOT NULL AND p.upper IS NOT NULL
            AND p.time >= %(since)s AND p.time <= %(until)s
        ORDER BY p.time DESC LIMIT %(limit)s) newest
    ORDER BY entity, time DESC"""
_JOINED = """
    SELECT DISTINCT ON (p.entity) p.entity, p.time, p.predicted, f.label, f.outcome, p.features, p.shadow_version, p.shadow_predicted
    FROM predictions p JOIN LATERAL (
        SELECT label, outcome FROM feedback
        WHERE model = p.model AND entity = p.entity AND time >= p.time AND time <= %(until)s ORDER BY time DESC LIMIT 1) f ON true
    WHERE p.model = %(model)s AND p.version = %(version)s AND p.entity IS NOT NULL AND p.time >= %(since)s AND p.time <= %(until)s
        AND (%(before)s::timestamptz IS NULL OR p.time < %(before)s)
    ORDER BY p.entity, p.time DESC"""

_CLICKS = f"""
WITH shown AS (
    SELECT user_id, list_id, min(time) AS time FROM exposures
    WHERE model = %(model)s AND version = %(version)s AND time >= %(since)s AND time < %(until)s GROUP BY user_id, list_id
), clicked AS (
    {CLICKED} i.time <= s.time + %(within)s
), people AS (
    SELECT count(*) AS lists, count(c.list_id) AS clicks FROM shown s LEFT JOIN clicked c USING (user_id, list_id) GROUP BY s.user_id
)
SELECT count(*) AS exposed, count(*) AS users, coalesce(sum(lists), 0)::bigint AS lists, coalesce(sum(clicks), 0)::bigint AS clicks,
       count(*) FILTER (WHERE clicks > 0) AS clickers, coalesce(sum(clicks::double precision / lists), 0) AS total,
       coalesce(sum((clicks::double precision / lists) ^ 2), 0) AS squares
FROM people
"""
"""A list is one row: its event's id is made from its own."""


class PostgresPerformance:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def labelled(
        self, model: str, version: int, *, since: datetime, until: datetime, limit: int, before: datetime | None = None, oldest: bool = False
    ) -> list[LabelledPrediction]:
        values = {"model": model, "version": version, "since": since, "until": until, "limit": limit, "before": before}
        order = "ASC" if oldest else "DESC"
        with self._connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute(f"SELECT * FROM ({_JOINED}) j ORDER BY time {order}, entity LIMIT %(limit)s", values)
            return [LabelledPrediction(**found) for found in cursor.fetchall()]

    def counts(self, model: str, version: int, *, since: datetime, until: datetime, before: datetime | None = None) -> tuple[int, int]:
        with self._connection.cursor() as cursor:
            cursor.execute(
                """SELECT count(*), count(*) FILTER (WHERE EXISTS (
                       SELECT FROM feedback f WHERE f.model = %(model)s AND f.entity = p.entity AND f.time >= p.time AND f.time <= %(until)s))
                   FROM (SELECT entity, min(time) AS time FROM predictions
                         WHERE model = %(model)s AND version = %(version)s AND entity IS NOT NULL AND time >= %(since)s AND time <= %(until)s
                             AND (%(before)s::timestamptz IS NULL OR time < %(before)s)
                         GROUP BY entity) p""",
                {"model": model, "version": version, "since": since, "until": until, "before": before},
            )
            row = cursor.fetchone()
        return (0, 0) if row is None else (row[0], row[1])

    def asked(self, model: str, version: int, *, since: datetime, until: datetime, limit: int) -> list[AskedPrediction]:
        values = {"model": model, "version": version, "since": since, "until": until, "limit": limit}
        with self._connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute(f"SELECT * FROM ({_ASKED}) j ORDER BY time DESC, entity", values)
            return [AskedPrediction(**found) for found in cursor.fetchall()]

    def record_estimate(self, estimate: PerformanceEstimate) -> bool:
        values = {name: getattr(estimate, name) for name in _ESTIMATE.split(", ")} | {"id": uuid4()}
        with self._connection.cursor() as cursor:
            cursor.execute(
                f"""INSERT INTO performance_estimates (id, {_ESTIMATE}) VALUES (%(id)s, {", ".join(f"%({name})s" for name in _ESTIMATE.split(", "))})
                    ON CONFLICT (model, version, last_day) DO NOTHING""",
                values,
            )
            return cursor.rowcount == 1

    def last_estimate(self, model: str, version: int) -> PerformanceEstimate | None:
        with self._connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute(f"SELECT {_ESTIMATE} FROM performance_estimates WHERE model = %s AND version = %s ORDER BY time DESC LIMIT 1", (model, version))
            found = cursor.fetchone()
        return None if found is None else PerformanceEstimate(**found)

    def record(self, report: PerformanceReport) -> bool:
        values = {name: getattr(report, name) for name in _REPORT.split(", ")} | {"detail": json.dumps(dict(report.detail)), "id": uuid4()}
        with self._connection.cursor() as cursor:
            cursor.execute(
                f"""INSERT INTO performance_reports (id, {_REPORT}) VALUES (%(id)s, {", ".join(f"%({name})s" for name in _REPORT.split(", "))})
                    ON CONFLICT (model, version, first_day, last_day, n) DO NOTHING""",
                values,
            )
            return cursor.rowcount == 1

    def last(self, model: str, version: int, *, since: datetime) -> PerformanceReport | None:
        with self._connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute(
                f"SELECT {_REPORT} FROM performance_reports WHERE model = %s AND version = %s AND time >= %s ORDER BY time DESC, n DESC LIMIT 1",
                (model, version, since),
            )
            found = cursor.fetchone()
        return None if found is None else PerformanceReport(**found)

    def degraded_from(self, model: str, version: int, since: datetime) -> date | None:
        with self._connection.cursor() as cursor:
            cursor.execute(
                "SELECT min(first_day) FROM performance_reports WHERE model = %s AND version = %s AND time >= %s AND degraded", (model, version, since)
            )
            row = cursor.fetchone()
        return None if row is None else row[0]

    def clicks(self, model: str, version: int, *, since: datetime, until: datetime, within: timedelta) -> Counts:
        values = {"model": model, "version": version, "since": since, "until": until, "within": within}
        with self._connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute(_CLICKS, values)
            return Counts(**(cursor.fetchone() or {}))
