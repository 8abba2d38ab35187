"""Tables `shadow_policies` and `shadow_decisions`: a candidate policy and what it would have decided."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg2.extensions
from psycopg2.extras import RealDictCursor, execute_values

from evergreen.ports.policy_records import ShadowRow

_COLUMNS = "policy_hash, model, event_source, event_id, event_type, decided_at, severity, rule, outcome, body, agrees"
_NAMES = tuple(_COLUMNS.split(", "))


class PostgresShadows:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def active(self) -> tuple[str, Mapping[str, Any]] | None:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT hash, body FROM shadow_policies WHERE stopped_at IS NULL ORDER BY started_at DESC LIMIT 1")
            found: tuple[str, Mapping[str, Any]] | None = cursor.fetchone()
        return found

    def start(self, policy_hash: str, body: Mapping[str, Any]) -> None:
        self.stop()
        with self._connection.cursor() as cursor:
            cursor.execute(
                """INSERT INTO shadow_policies (hash, body) VALUES (%s, %s)
                   ON CONFLICT (hash) DO UPDATE SET started_at = clock_timestamp(), stopped_at = NULL""",
                (policy_hash, json.dumps(body)),
            )

    def stop(self) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute("UPDATE shadow_policies SET stopped_at = clock_timestamp() WHERE stopped_at IS NULL")

    def record(self, rows: Sequence[ShadowRow]) -> None:
        if not rows:
            return
        with self._connection.cursor() as cursor:
            values = [tuple(getattr(row, name) for name in _NAMES) for row in rows]
            execute_values(cursor, f"INSERT INTO shadow_decisions ({_COLUMNS}) VALUES %s ON CONFLICT DO NOTHING", values, page_size=500)

    def differing(self, policy_hash: str, limit: int) -> list[ShadowRow]:
        with self._connection.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute(f"SELECT {_COLUMNS} FROM shadow_decisions WHERE policy_hash = %s AND NOT agrees ORDER BY seq DESC LIMIT %s", (policy_hash, limit))
            return [ShadowRow(**found) for found in cursor.fetchall()]

    def agreement(self, policy_hash: str) -> tuple[int, int]:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT count(*), count(*) FILTER (WHERE agrees) FROM shadow_decisions WHERE policy_hash = %s", (policy_hash,))
            decided, agreeing = cursor.fetchone() or (0, 0)
        return decided, agreeing
