"""Tables `videos` and `indexed_batches`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg2.extensions
from psycopg2.extras import execute_values

_COLUMNS = (
    "video_id",
    "title",
    "description",
    "channel_id",
    "channel_title",
    "category_id",
    "duration",
    "published_at",
    "view_count",
    "like_count",
    "comment_count",
    "region",
    "tags",
    "first_view_count",
    "first_seen",
    "last_seen",
)
_NEWEST = _COLUMNS[1 : _COLUMNS.index("first_view_count")]
# Of two tellings of the same first day the later one stands, unless it does not know.
_FIRST_VIEWS = """CASE WHEN excluded.first_seen < v.first_seen THEN excluded.first_view_count
    WHEN excluded.first_seen = v.first_seen THEN coalesce(excluded.first_view_count, v.first_view_count) ELSE v.first_view_count END"""
_PAGE = 500


class PostgresVideos:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def upsert(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """In order of the key, so that two writers never wait for each other in a circle."""
        newer = ", ".join(f"{name} = CASE WHEN excluded.last_seen >= v.last_seen THEN excluded.{name} ELSE v.{name} END" for name in _NEWEST)
        kept = newer.replace("THEN excluded.description", "THEN coalesce(excluded.description, v.description)")
        kept = kept.replace("THEN excluded.tags", "THEN coalesce(nullif(excluded.tags, '{}'), v.tags)")
        values = [_values(row) for row in sorted(rows, key=lambda row: str(row["video_id"]))]
        with self._connection.cursor() as cursor:
            execute_values(
                cursor,
                f"""INSERT INTO videos AS v ({", ".join(_COLUMNS)}) VALUES %s ON CONFLICT (video_id) DO UPDATE SET {kept},
                    first_view_count = {_FIRST_VIEWS},
                    first_seen = least(v.first_seen, excluded.first_seen), last_seen = greatest(v.last_seen, excluded.last_seen)""",
                values,
                page_size=_PAGE,
            )


def _values(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """A telling that does not speak of the first day's count knows it where the row is of that day alone."""
    known = {"first_view_count": row.get("view_count") if row["first_seen"] == row["last_seen"] else None} | dict(row)
    return tuple((known.get(name) or []) if name == "tags" else known.get(name) for name in _COLUMNS)


class PostgresIndexedBatches:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def has(self, dataset: str, batch_id: str, sha256: str) -> bool:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT FROM indexed_batches WHERE dataset = %s AND batch_id = %s AND sha256 = %s", (dataset, batch_id, sha256))
            return cursor.fetchone() is not None

    def record(self, dataset: str, batch_id: str, sha256: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(
                """INSERT INTO indexed_batches (dataset, batch_id, sha256) VALUES (%s, %s, %s)
                   ON CONFLICT (dataset, batch_id) DO UPDATE SET sha256 = excluded.sha256, indexed_at = clock_timestamp()""",
                (dataset, batch_id, sha256),
            )
