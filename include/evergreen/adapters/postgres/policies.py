"""Table `policies`: every policy that was ever active, by content hash."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import psycopg2.extensions


class PostgresPolicies:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def active(self) -> tuple[str, Mapping[str, Any]] | None:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT hash, body FROM policies ORDER BY activated_at DESC LIMIT 1")
            found: tuple[str, Mapping[str, Any]] | None = cursor.fetchone()
        return found

    def activate(self, policy_hash: str, body: Mapping[str, Any]) -> str | None:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('policies'))")  # several intake workers see the same file change
            active = self.active()
            if active is not None and active[0] == policy_hash:
                return None
            cursor.execute(
                "INSERT INTO policies (hash, body) VALUES (%s, %s) ON CONFLICT (hash) DO UPDATE SET activated_at = clock_timestamp()",
                (policy_hash, json.dumps(body)),
            )
        return active[0] if active else None

    def bodies(self) -> Mapping[str, Mapping[str, Any]]:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT hash, body FROM policies")
            return dict(cursor.fetchall())
