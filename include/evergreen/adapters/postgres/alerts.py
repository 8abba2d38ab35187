"""Table `alerts`: what somebody should look at, and what the notifier did about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg2.extensions
from psycopg2.extras import RealDictCursor, execute_values

from evergreen.core.alerts import AlertDetails
from evergreen.ports.alerts import AlertRow

_OWN = ("id", "grouping", "severity", "title", "message", "model", "time", "event_source", "event_id", "resolves")
_DETAILS = ("event_type", "reason", "title_ko", "message_ko", "drift_score", "model_version")
_WRITTEN = ", ".join((*_OWN, *_DETAILS))
_READ = f"{_WRITTEN}, recorded_at, outcome"


class PostgresAlerts:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def record(self, rows: Sequence[AlertRow]) -> None:
        if not rows:
            return
        with self._connection.cursor() as cursor:
            values = [(*(getattr(row, name) for name in _OWN), *(getattr(row.details, name) for name in _DETAILS)) for row in rows]
            execute_values(cursor, f"INSERT INTO alerts ({_WRITTEN}) VALUES %s ON CONFLICT (id) DO NOTHING", values)

    def newest(self, limit: int, model: str | None = None) -> list[AlertRow]:
        query = f"SELECT {_READ} FROM alerts WHERE NOT resolves AND (%s::text IS NULL OR model = %s) ORDER BY recorded_at DESC, seq DESC LIMIT %s"
        return self._read(query, (model, model, limit))

    def unsettled(self, limit: int) -> list[AlertRow]:
        return self._read(f"SELECT {_READ} FROM alerts WHERE outcome IS NULL ORDER BY seq LIMIT %s FOR UPDATE SKIP LOCKED", (limit,))

    def for_digest(self, limit: int) -> list[AlertRow]:
        return self._read(f"SELECT {_READ} FROM alerts WHERE outcome = 'digest' ORDER BY seq LIMIT %s FOR UPDATE SKIP LOCKED", (limit,))

    def settle(self, outcomes: Mapping[UUID, str]) -> None:
        if not outcomes:
            return
        with self._connection.cursor() as cursor:
            query = "UPDATE alerts SET outcome = said.outcome FROM (VALUES %s) AS said (id, outcome) WHERE alerts.id = said.id"
            execute_values(cursor, query, list(outcomes.items()), template="(%s::uuid, %s)")

    def prune(self, before: datetime) -> int:
        with self._connection.cursor() as cursor:
            cursor.execute("DELETE FROM alerts WHERE outcome <> 'digest' AND recorded_at < %s", (before,))
            return cursor.rowcount

    def _read(self, query: str, values: tuple[Any, ...]) -> list[AlertRow]:
        with self._connection.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute(query, values)
            return [_row(dict(found)) for found in cursor.fetchall()]


def _row(found: dict[str, Any]) -> AlertRow:
    return AlertRow(details=AlertDetails(**{name: found.pop(name) for name in _DETAILS}), **found)
