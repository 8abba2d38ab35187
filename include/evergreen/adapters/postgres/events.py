"""Table `events`: control events, once per (source, id)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg2.extensions
from psycopg2.extras import RealDictCursor, execute_values

from evergreen.contracts.envelope import Event
from evergreen.ports.records import EventKey, EventRow

COLUMNS = "source, id, type, subject, time, data, extensions, content_hash, topic, kafka_partition, kafka_offset, produced_at, received_at"


class PostgresEvents:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def known(self, keys: Sequence[EventKey]) -> Mapping[EventKey, str]:
        if not keys:
            return {}
        with self._connection.cursor() as cursor:
            cursor.execute(
                """SELECT e.source, e.id, e.content_hash FROM unnest(%s::text[], %s::text[]) k(source, id)
                   JOIN events e ON e.source = k.source AND e.id = k.id""",
                ([source for source, _ in keys], [event_id for _, event_id in keys]),
            )
            return {(source, event_id): content_hash for source, event_id, content_hash in cursor.fetchall()}

    def record(self, rows: Sequence[EventRow]) -> int:
        if not rows:
            return 0
        with self._connection.cursor() as cursor:
            statement = f"INSERT INTO events ({COLUMNS}) VALUES %s ON CONFLICT (source, id) DO NOTHING RETURNING id"
            return len(execute_values(cursor, statement, [_values(row) for row in rows], page_size=500, fetch=True))

    def find(self, event_id: str) -> list[EventRow]:
        return self._select("WHERE id = %s ORDER BY seq", (event_id,))

    def of_type(self, event_type: str, limit: int = 100) -> list[EventRow]:
        """Newest first."""
        return self._select("WHERE type = %s ORDER BY time DESC, seq DESC LIMIT %s", (event_type, limit))

    def seq(self) -> int:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT coalesce(max(seq), 0) FROM events")
            found: tuple[int] | None = cursor.fetchone()
        return found[0] if found else 0

    def _select(self, condition: str, values: tuple[Any, ...]) -> list[EventRow]:
        with self._connection.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute(f"SELECT {COLUMNS} FROM events {condition}", values)
            return [row_of(found) for found in cursor.fetchall()]


def _values(row: EventRow) -> tuple[Any, ...]:
    event = row.event
    return (
        *(event.source, event.id, event.type, event.subject, event.time, json.dumps(event.data, ensure_ascii=False), json.dumps(event.extensions)),
        *(row.content_hash, row.topic, row.partition, row.offset, row.produced_at, row.received_at),
    )


def row_of(found: Mapping[str, Any]) -> EventRow:
    names = ("source", "id", "type", "subject", "time", "data", "extensions")
    return EventRow(
        event=Event.model_validate({name: found[name] for name in names}),
        content_hash=found["content_hash"],
        received_at=found["received_at"],
        produced_at=found["produced_at"],
        topic=found["topic"],
        partition=found["kafka_partition"],
        offset=found["kafka_offset"],
    )
