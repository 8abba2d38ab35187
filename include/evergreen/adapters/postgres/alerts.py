"""Table `alerts`: what somebody should look at."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg2.extensions
from psycopg2.extras import RealDictCursor, execute_values

from evergreen.ports.records import AlertRow

_COLUMNS = "id, grouping, severity, title, message, model, time, event_source, event_id"
_NAMES = tuple(_COLUMNS.split(", "))


class PostgresAlerts:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def record(self, rows: Sequence[AlertRow]) -> None:
        if not rows:
            return
        with self._connection.cursor() as cursor:
            values = [tuple(getattr(row, name) for name in _NAMES) for row in rows]
            execute_values(cursor, f"INSERT INTO alerts ({_COLUMNS}) VALUES %s ON CONFLICT (id) DO NOTHING", values)

    def newest(self, limit: int) -> list[AlertRow]:
        with self._connection.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute(f"SELECT {_COLUMNS} FROM alerts ORDER BY recorded_at DESC, id LIMIT %s", (limit,))
            return [AlertRow(**found) for found in cursor.fetchall()]
