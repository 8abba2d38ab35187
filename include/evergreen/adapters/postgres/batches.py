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

    def newest(self, dataset: str) -> BatchRow | None:
        return next(iter(self._select("WHERE dataset = %s ORDER BY recorded_at DESC, batch_id DESC LIMIT 1", (dataset,))), None)

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
