"""Table `change_points`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import psycopg2.extensions

from evergreen.contracts.actions import Cause


class PostgresChangePoints:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def record(self, model: str, champion_version: int, day: date, action_id: UUID, time: datetime) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(
                """INSERT INTO change_points (model, champion_version, day, action_id, time) VALUES (%s, %s, %s, %s, %s)
                   ON CONFLICT (model, champion_version) DO NOTHING""",
                (model, champion_version, day, action_id, time),
            )

    def days(self, model: str) -> list[date]:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT day FROM change_points WHERE model = %s ORDER BY day", (model,))
            return [day for (day,) in cursor.fetchall()]

    def drifted_since(self, causes: Sequence[Cause], version_name: str) -> date | None:
        named = [(cause.source, cause.id) for cause in causes if cause.type == "data_drift_detected"]
        if not named:
            return None
        with self._connection.cursor() as cursor:
            cursor.execute(
                """SELECT min((data -> 'window' ->> 'first_day')::date) FROM events
                   WHERE type = 'data_drift_detected' AND (source, id) IN %s AND data ->> 'model_version' = %s""",
                (tuple(named), version_name),
            )
            row = cursor.fetchone()
        return None if row is None else row[0]
