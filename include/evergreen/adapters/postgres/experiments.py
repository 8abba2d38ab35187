"""Table `experiments`, and what `exposures` and `interactions` say of one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import psycopg2.extensions
from psycopg2.extras import RealDictCursor

from evergreen.core.experiment import Experiment, variants_from
from evergreen.core.experiment_verdict import Counts, Found
from evergreen.ports.experiments import ExperimentRow, ExperimentStatus

LATE = timedelta(minutes=5)
"""After a user's time: his last click may still be on its way to the tables."""
_COLUMNS = """name, model, variants, share, metric, window_seconds, started_by, reason,
    started_time, until_time, status, ended_by, ended_time, end_reason, looked_time, found"""
CLICKED = """SELECT DISTINCT s.user_id, s.list_id FROM shown s JOIN interactions i ON i.user_id = s.user_id AND i.context ->> 'list_id' = s.list_id
    WHERE i.kind = 'recommendation_click' AND i.time >= %(since)s AND i.time >= s.time AND"""
"""Lists of `shown` that were clicked on, until whenever a click counts."""
_COUNTS = f"""
WITH shown AS (
    SELECT user_id, list_id, variant, time, first_value(time) OVER his AS first_time, first_value(variant) OVER his AS first_variant
    FROM exposures WHERE experiment = %(name)s AND time >= %(since)s AND time <= %(now)s
    WINDOW his AS (PARTITION BY user_id ORDER BY time, list_id)
), clicked AS (
    {CLICKED} i.time <= s.first_time + %(window)s
), people AS (
    SELECT s.first_variant AS variant, bool_or(s.variant <> s.first_variant) AS crossed, s.first_time + %(window)s + %(late)s <= %(now)s AS is_over,
           count(*) FILTER (WHERE s.time <= s.first_time + %(window)s) AS lists, count(c.list_id) AS clicks
    FROM shown s LEFT JOIN clicked c USING (user_id, list_id) GROUP BY s.user_id, s.first_variant, s.first_time
)
SELECT variant, count(*) AS exposed, count(*) FILTER (WHERE crossed) AS crossed, count(*) FILTER (WHERE is_over) AS users,
       coalesce(sum(lists) FILTER (WHERE is_over), 0)::bigint AS lists, coalesce(sum(clicks) FILTER (WHERE is_over), 0)::bigint AS clicks,
       count(*) FILTER (WHERE is_over AND clicks > 0) AS clickers,
       coalesce(sum(clicks::double precision / lists) FILTER (WHERE is_over), 0) AS total,
       coalesce(sum((clicks::double precision / lists) ^ 2) FILTER (WHERE is_over), 0) AS squares
FROM people GROUP BY variant
"""
"""A list is one row: its event's id is made from its own."""


class PostgresExperiments:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def start(self, row: ExperimentRow) -> bool:
        plan = row.plan
        variants = json.dumps([variant.to_json() for variant in plan.variants])
        values = (plan.name, plan.model, variants, plan.share, row.metric, row.window.total_seconds())
        statement = """INSERT INTO experiments (name, model, variants, share, metric, window_seconds, started_by, reason, started_time, until_time)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"""
        return self._execute(statement, (*values, row.started_by, row.reason, row.started_time, row.until_time)) == 1

    def get(self, name: str) -> ExperimentRow | None:
        rows = self._rows("WHERE name = %s", (name,))
        return rows[0] if rows else None

    def newest(self, limit: int, model: str | None = None) -> list[ExperimentRow]:
        return self._rows("WHERE %s::text IS NULL OR model = %s ORDER BY started_time DESC, name LIMIT %s", (model, model, limit))

    def running(self) -> list[ExperimentRow]:
        return self._rows("WHERE status = 'running' ORDER BY model", ())

    def last_with(self, model: str, version: int) -> ExperimentRow | None:
        wanted = """WHERE model = %s AND status <> 'running' AND variants @> %s AND variants -> 0 -> 'version' <> %s
            ORDER BY ended_time DESC, name LIMIT 1"""
        rows = self._rows(wanted, (model, json.dumps([{"version": version}]), json.dumps(version)))
        return rows[0] if rows else None

    def looked(self, name: str, at: datetime, found: Found) -> None:
        self._execute("UPDATE experiments SET looked_time = %s, found = %s WHERE name = %s AND status = 'running'", (at, json.dumps(found.to_json()), name))

    def end(self, name: str, status: ExperimentStatus, *, at: datetime, by: str, reason: str) -> bool:
        statement = "UPDATE experiments SET status = %s, ended_time = %s, ended_by = %s, end_reason = %s WHERE name = %s AND status = 'running'"
        return self._execute(statement, (status, at, by, reason, name)) == 1

    def counts(self, row: ExperimentRow, now: datetime) -> Sequence[Counts]:
        wanted = {"name": row.plan.name, "since": row.started_time, "now": now, "window": row.window, "late": LATE}
        with self._connection.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute(_COUNTS, wanted)
            found = {one.pop("variant"): Counts(**one) for one in cursor.fetchall()}
        return [found.get(variant.name, Counts()) for variant in row.plan.variants]

    def unasked(self) -> list[ExperimentRow]:
        return self._rows("WHERE status = 'finished' AND NOT asked ORDER BY ended_time", ())

    def asked(self, name: str) -> None:
        self._execute("UPDATE experiments SET asked = true WHERE name = %s", (name,))

    def _execute(self, statement: str, values: tuple[object, ...]) -> int:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.rowcount

    def _rows(self, where: str, values: tuple[object, ...]) -> list[ExperimentRow]:
        with self._connection.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute(f"SELECT {_COLUMNS} FROM experiments {where}", values)
            return [experiment_row(found) for found in cursor.fetchall()]


def experiment_row(found: dict[str, Any]) -> ExperimentRow:
    """Of the table's columns by name."""
    rest = dict(found)
    plan = Experiment(rest.pop("name"), rest.pop("model"), variants_from(rest.pop("variants")), rest.pop("share"))
    window, seen = timedelta(seconds=rest.pop("window_seconds")), rest.pop("found")
    return ExperimentRow(plan=plan, window=window, found=None if seen is None else Found.from_json(seen), **rest)
