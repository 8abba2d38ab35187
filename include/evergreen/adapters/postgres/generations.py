"""Table `cache_generations`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psycopg2.extensions

BUMP = """
INSERT INTO cache_generations AS g (kind, changed_by) VALUES (%s, %s)
ON CONFLICT (kind) DO UPDATE SET generation = g.generation + 1, changed_by = excluded.changed_by, changed_at = clock_timestamp()
RETURNING generation
"""


class PostgresGenerations:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def bump(self, kind: str, by: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(BUMP, (kind, by))
