"""Table `silences`: what nobody wants to be told about for a while, who said so and why."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg2.extensions

from evergreen.core.notices import Silence

_READ = "SELECT id, until, who, reason, created_time, model, event_type, up_to, ended_time, ended_by FROM silences"


class PostgresSilences:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def add(self, silence: Silence) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO silences (id, until, who, reason, created_time, model, event_type, up_to) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                (silence.id, silence.until, silence.who, silence.reason, silence.created_at, silence.model, silence.event_type, silence.up_to),
            )

    def running(self, now: datetime) -> list[Silence]:
        return self._read(f"{_READ} WHERE ended_time IS NULL AND until > %s ORDER BY created_time DESC, id", (now,))

    def newest(self, limit: int) -> list[Silence]:
        return self._read(f"{_READ} ORDER BY created_time DESC, id LIMIT %s", (limit,))

    def end(self, silence_id: UUID, now: datetime, who: str) -> bool:
        ended = "UPDATE silences SET ended_time = %(now)s, ended_by = %(who)s WHERE id = %(id)s AND ended_time IS NULL AND until > %(now)s"
        with self._connection.cursor() as cursor:
            cursor.execute(ended, {"now": now, "who": who, "id": silence_id})
            return cursor.rowcount == 1

    def prune(self, over_before: datetime) -> int:
        with self._connection.cursor() as cursor:
            cursor.execute("DELETE FROM silences WHERE least(ended_time, until) < %s", (over_before,))
            return cursor.rowcount

    def _read(self, query: str, values: tuple[Any, ...]) -> list[Silence]:
        with self._connection.cursor() as cursor:
            cursor.execute(query, values)
            return [Silence(*row) for row in cursor.fetchall()]
