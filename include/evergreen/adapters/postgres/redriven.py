"""Table `redriven`: which dead letters went back to their topic."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import psycopg2.extensions


class PostgresRedriven:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def mark(self, letter_id: str, topic: str, *, changed: bool, who: str, reason: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(
                """INSERT INTO redriven (letter_id, topic, changed, who, reason) VALUES (%s, %s, %s, %s, %s)
                   ON CONFLICT (letter_id) DO UPDATE SET times = redriven.times + 1, changed = excluded.changed, who = excluded.who,
                       reason = excluded.reason, at = clock_timestamp()""",
                (letter_id, topic, changed, who, reason),
            )

    def all(self) -> Mapping[str, datetime]:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT letter_id, at FROM redriven")
            return dict(cursor.fetchall())
