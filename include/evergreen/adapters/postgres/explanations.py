"""The rows that explain a name, over the blocking driver."""

from __future__ import annotations

import re

import psycopg2.extensions
from psycopg2.extras import RealDictCursor

from evergreen.adapters.explanation_rows import Ask, Rows, gather
from evergreen.core.explanation import Found

_NUMBERED = re.compile(r"\$(\d+)")


class PostgresExplanations:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def find(self, name: str) -> Found:
        gathering = gather(name)
        try:
            ask = next(gathering)
            while True:
                ask = gathering.send(self._rows(ask))
        except StopIteration as end:
            found: Found = end.value
            return found

    def _rows(self, ask: Ask) -> Rows:
        statement, values = ask
        named = {f"p{position}": value for position, value in enumerate(values, 1)}
        with self._connection.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute(_NUMBERED.sub(r"%(p\1)s", statement), named)
            return [dict(row) for row in cursor.fetchall()]
