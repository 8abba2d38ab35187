"""Table `events`, read again in the order of its rows."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg2.extensions
from psycopg2.extras import RealDictCursor

from evergreen.adapters.postgres.events import COLUMNS, row_of
from evergreen.ports.event_archive import Chosen
from evergreen.ports.records import EventRow

_WHERE = """WHERE (%(types)s::text[] = '{}' OR type = ANY(%(types)s)) AND (%(ids)s::text[] = '{}' OR id = ANY(%(ids)s))
              AND (%(since)s::timestamptz IS NULL OR time >= %(since)s) AND (%(until)s::timestamptz IS NULL OR time < %(until)s)"""
_BATCH = 1000


class PostgresEventArchive:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def count(self, chosen: Chosen) -> int:
        with self._connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM events {_WHERE}", _values(chosen))
            found: tuple[int] | None = cursor.fetchone()
        return found[0] if found else 0

    def read(self, chosen: Chosen) -> Iterator[EventRow]:
        with self._connection.cursor(name="archive", cursor_factory=RealDictCursor) as cursor:
            cursor.itersize = _BATCH
            cursor.execute(f"SELECT {COLUMNS} FROM events {_WHERE} ORDER BY seq", _values(chosen))
            for found in cursor:
                yield row_of(found)


def _values(chosen: Chosen) -> dict[str, object]:
    return {"types": list(chosen.types), "ids": list(chosen.ids), "since": chosen.since, "until": chosen.until}
