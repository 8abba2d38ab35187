"""Table `ledger`."""

from __future__ import annotations

import psycopg2.extensions
import psycopg2.extras

from evergreen.ports.ledger import Worth

_COLUMNS = "model, version, rows, realised, realised_low, realised_high, avoided, closed"


class PostgresLedger:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def close(self, worth: Worth) -> None:
        names = _COLUMNS.split(", ")
        with self._connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO ledger ({_COLUMNS}) VALUES ({', '.join(f'%({name})s' for name in names)}) ON CONFLICT (model, version) DO NOTHING",
                {name: getattr(worth, name) for name in names},
            )

    def of_model(self, model: str) -> dict[int, Worth]:
        with self._connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute(f"SELECT {_COLUMNS} FROM ledger WHERE model = %s", (model,))
            return {found["version"]: Worth(**found) for found in cursor.fetchall()}
