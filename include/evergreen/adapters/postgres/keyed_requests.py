"""Table `keyed_requests`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg2.extensions

from evergreen.core.errors import Unavailable
from evergreen.ports.keyed_requests import Earlier

_TAKE = """
INSERT INTO keyed_requests AS there (id, content) VALUES (%(id)s, %(content)s)
ON CONFLICT (id) DO UPDATE SET asked_at = clock_timestamp()
WHERE there.answer IS NULL AND there.content = excluded.content AND there.asked_at < clock_timestamp() - %(patience)s
RETURNING id
"""


class PostgresKeyedRequests:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def take(self, request_id: UUID, content: str, patience: timedelta) -> Earlier | None:
        with self._connection.cursor() as cursor:
            cursor.execute(_TAKE, {"id": request_id, "content": content, "patience": patience})
            if cursor.fetchone() is not None:
                return None
            cursor.execute("SELECT content, answer FROM keyed_requests WHERE id = %s", (request_id,))
            found = cursor.fetchone()
        if found is None:
            raise Unavailable("the first request of this idempotency key just came to nothing; send it again")
        return Earlier(*found)

    def answer(self, request_id: UUID, answer: Mapping[str, Any]) -> None:
        self._run("UPDATE keyed_requests SET answer = %s WHERE id = %s", json.dumps(dict(answer)), request_id)

    def drop(self, request_id: UUID) -> None:
        self._run("DELETE FROM keyed_requests WHERE id = %s AND answer IS NULL", request_id)

    def prune(self, older_than: timedelta) -> int:
        return self._run("DELETE FROM keyed_requests WHERE asked_at < clock_timestamp() - %s", older_than)

    def _run(self, statement: str, *values: object) -> int:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.rowcount
