"""Table `batches`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

import psycopg2.extensions

from evergreen.ports.batches import BatchRow

_COLUMNS = "dataset, batch_id, sha256, first_day, last_day, rows, quarantined, issues, bronze_path, status, incident, ingested_time"


class PostgresBatches:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def get(self, dataset: str, batch_id: str) -> BatchRow | None:
        return next(iter(self._select("WHERE dataset = %s AND batch_id = %s", (dataset, batch_id))), None)

    def open_incidents(self, dataset: str) -> Sequence[BatchRow]:
        followed = "SELECT FROM batches g WHERE g.dataset = b.dataset AND NOT g.incident AND g.recorded_at > b.recorded_at AND g.last_day >= b.last_day"
        return self._select(f"b WHERE dataset = %s AND incident AND NOT EXISTS ({followed}) ORDER BY first_day, batch_id", (dataset,))

    def record(self, row: BatchRow) -> None:
        values = {**vars(row), "issues": json.dumps([dict(issue) for issue in row.issues])}
        names = _COLUMNS.split(", ")
        changes = ", ".join(f"{name} = excluded.{name}" for name in names[2:])
        with self._connection.cursor() as cursor:
            cursor.execute(
                f"""INSERT INTO batches ({_COLUMNS}) VALUES ({", ".join(f"%({name})s" for name in names)})
                    ON CONFLICT (dataset, batch_id) DO UPDATE SET {changes}, recorded_at = clock_timestamp()""",
                values,
            )

    def ingested_before(self, time: datetime) -> Sequence[BatchRow]:
        return self._select("WHERE ingested_time < %s AND bronze_path <> '' ORDER BY ingested_time, dataset, batch_id", (time,))

    def forget_bronze(self, dataset: str, batch_ids: Sequence[str]) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute("UPDATE batches SET bronze_path = '' WHERE dataset = %s AND batch_id = ANY(%s)", (dataset, list(batch_ids)))

    def _select(self, clause: str, values: tuple[object, ...]) -> list[BatchRow]:
        with self._connection.cursor() as cursor:
            cursor.execute(f"SELECT {_COLUMNS} FROM batches {clause}", values)
            return [BatchRow(*found) for found in cursor.fetchall()]
