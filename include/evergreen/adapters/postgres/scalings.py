"""Column `result` of an open scale action: what its first attempt decided."""

from __future__ import annotations

import json
from dataclasses import asdict
from uuid import UUID

import psycopg2.extensions

from evergreen.core.errors import Fenced
from evergreen.ports.scaler import Scaling
from evergreen.ports.storage import Lease


class PostgresScalings:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def of(self, action_id: UUID) -> Scaling | None:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT result FROM actions WHERE id = %s AND status IN ('pending', 'claimed', 'running')", (action_id,))
            row = cursor.fetchone()
        return None if row is None or row[0] is None else Scaling(**row[0])

    def decide(self, lease: Lease, scaling: Scaling) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(
                "UPDATE actions SET result = %s WHERE id = %s AND token = %s AND status IN ('claimed', 'running')",
                (json.dumps(asdict(scaling)), lease.action_id, lease.token),
            )
            if cursor.rowcount != 1:
                raise Fenced(f"action {lease.action_id} is no longer this run's (token {lease.token})")
