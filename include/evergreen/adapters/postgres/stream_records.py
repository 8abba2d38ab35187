"""Tables `predictions`, `feedback`, `metrics` and `exposures`: day partitions of platform time, made when their first row comes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import timedelta
from typing import Any

import psycopg2.extensions
from psycopg2.extras import execute_values

from evergreen.adapters.postgres.interactions import PostgresInteractions
from evergreen.adapters.postgres.partitions import ensure_partitions
from evergreen.ports.index import ExposureRow, FeedbackRow, MetricsRow, PredictionRow, StreamRow, days_of

_JSON = frozenset({"features", "answer", "outcome", "metrics"})
_REPEATED_WITHIN = timedelta(days=2)
"""A repeat with another time comes within a day: the partitions looked at stay few."""
_PAGE = 500


class PostgresStreamRecords:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def predictions(self, rows: Sequence[PredictionRow]) -> int:
        return self._insert("predictions", rows)

    def feedback(self, rows: Sequence[FeedbackRow]) -> int:
        return self._insert("feedback", rows)

    def metrics(self, rows: Sequence[MetricsRow]) -> int:
        return self._insert("metrics", rows)

    def exposures(self, rows: Sequence[ExposureRow]) -> int:
        """Nothing that somebody was shown before he was forgotten."""
        forgotten = PostgresInteractions(self._connection).forgotten([row.user_id for row in rows]) if rows else {}
        return self._insert("exposures", [row for row in rows if (until := forgotten.get(row.user_id)) is None or row.time > until])

    def _insert(self, table: str, rows: Sequence[StreamRow]) -> int:
        unique: dict[tuple[str, str], StreamRow] = {}
        for row in rows:
            unique.setdefault((row.source, row.id), row)
        if not unique:
            return 0
        ensure_partitions(self._connection, table, days_of(rows))
        there = self._recorded(table, list(unique.values()))
        fresh = [row for key, row in unique.items() if key not in there]
        if not fresh:
            return 0
        columns = [column.name for column in fields(fresh[0])]
        with self._connection.cursor() as cursor:
            statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES %s ON CONFLICT DO NOTHING"
            execute_values(cursor, statement, [_values(row, columns) for row in fresh], page_size=_PAGE)
        return len(fresh)

    def _recorded(self, table: str, rows: Sequence[StreamRow]) -> set[tuple[str, str]]:
        times = [row.time for row in rows]
        with self._connection.cursor() as cursor:
            cursor.execute(
                f"""SELECT source, id FROM {table} WHERE (source, id) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
                    AND time BETWEEN %s AND %s""",
                ([row.source for row in rows], [row.id for row in rows], min(times) - _REPEATED_WITHIN, max(times) + _REPEATED_WITHIN),
            )
            return {(source, event_id) for source, event_id in cursor.fetchall()}


def _values(row: StreamRow, columns: Sequence[str]) -> tuple[Any, ...]:
    values: Mapping[str, Any] = vars(row)
    return tuple(json.dumps(dict(values[name])) if name in _JSON else values[name] for name in columns)
