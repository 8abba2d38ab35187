"""Table `watches`."""

from __future__ import annotations

import psycopg2.extensions

from evergreen.ports.monitoring import WatchRow

_COLUMNS = "name, firing, severity, said, said_at, alerted"


class PostgresWatches:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def lock(self, name: str) -> WatchRow | None:
        with self._connection.cursor() as cursor:  # the first time there is no row to lock
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('watch:' || %s))", (name,))
            cursor.execute(f"SELECT {_COLUMNS} FROM watches WHERE name = %s", (name,))
            found = cursor.fetchone()
        return None if found is None else WatchRow(*found)

    def put(self, row: WatchRow) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(
                f"""INSERT INTO watches ({_COLUMNS}) VALUES (%(name)s, %(firing)s, %(severity)s, %(said)s, %(said_at)s, %(alerted)s)
                    ON CONFLICT (name) DO UPDATE SET firing = excluded.firing, severity = excluded.severity, said = excluded.said,
                        said_at = excluded.said_at, alerted = excluded.alerted""",
                vars(row),
            )

    def firing(self, prefix: str = "") -> list[WatchRow]:
        with self._connection.cursor() as cursor:
            cursor.execute(f"SELECT {_COLUMNS} FROM watches WHERE firing AND starts_with(name, %s) ORDER BY name", (prefix,))
            return [WatchRow(*found) for found in cursor.fetchall()]
