"""A job's input and output. What comes from a table is first written down as JSON lines, so that a job that is resumed goes on with the same rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg2.extras

from evergreen.adapters.jobs.csv_input import CsvInput
from evergreen.adapters.jobs.files import JobFolders
from evergreen.adapters.jobs.jsonl_input import JsonLinesInput
from evergreen.adapters.jobs.output import JobResult
from evergreen.adapters.jobs.parquet_input import ParquetInput
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.core.errors import DataRejected
from evergreen.core.jobs import JobFormat, JobKind
from evergreen.ports.jobs import Job, JobInput
from evergreen.ports.model import ModelSpec
from evergreen.ports.serving import StoredFeatures

FILTERS: Mapping[str, str] = {
    "region": "v.region = %(region)s",
    "category_ids": "v.category_id = ANY(%(category_ids)s)",
    "channel_id": "v.channel_id = %(channel_id)s",
    "published_from": "v.published_at >= %(published_from)s::timestamptz",
    "published_to": "v.published_at < %(published_to)s::timestamptz",
    "seen_from": "v.last_seen >= %(seen_from)s::date",
    "seen_to": "v.first_seen <= %(seen_to)s::date",
}
_VIDEOS = """
SELECT v.video_id, v.title, v.channel_id, v.channel_title, v.category_id, v.duration, v.published_at, length(v.description) AS description_length,
       v.view_count, v.like_count, v.comment_count, v.first_seen AS list_date, f.features
FROM videos v LEFT JOIN online_features f ON f.model = %(model)s AND f.entity = v.video_id
"""
_encode = msgspec.json.Encoder().encode_lines
_PAGE = 5_000


class JobDoors:
    """Everything a runner opens."""

    def __init__(self, folders: JobFolders, store: PostgresStore, *, chunk_rows: int, max_rows: int) -> None:
        self._folders = folders
        self._store = store
        self._chunk_rows = chunk_rows
        self._max_rows = max_rows

    def input(self, job: Job, spec: ModelSpec) -> JobInput:
        """Raises DataRejected, Unavailable."""
        if "table" in job.source:
            path = self._folders.input(job.id, JobFormat.JSONL)
            if not path.exists():
                self._write_down(job, path)
            return JsonLinesInput(path, spec, JobKind.ROWS, self._chunk_rows)
        path = self._folders.input(job.id, job.input_format)
        if not path.exists():
            raise DataRejected("what was uploaded is not on this disk any more")
        if job.input_format is JobFormat.PARQUET:
            return ParquetInput(path, spec, job.kind, self._chunk_rows, self._max_rows)
        if job.input_format is JobFormat.CSV:
            return CsvInput(path, spec, job.kind, self._chunk_rows)
        return JsonLinesInput(path, spec, job.kind, self._chunk_rows)

    def output(self, job: Job, spec: ModelSpec) -> JobResult:
        return JobResult(self._folders.folder(job.id), self._folders.result(job), job, spec.entity_column)

    def remove(self, job_id: UUID) -> None:
        self._folders.remove(job_id)

    def _write_down(self, job: Job, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        begun = path.with_name(f".{path.name}-{job.token}")
        found = 0
        with begun.open("wb") as file:
            for page in self._pages(job):
                found += len(page)
                file.write(_encode(page))
        if not found:
            begun.unlink()
            raise DataRejected("no video fits the filter")
        begun.rename(path)

    def _pages(self, job: Job) -> Iterator[list[dict[str, Any]]]:
        given = {name: value for name, value in job.source.items() if name in FILTERS and value is not None}
        where = " AND ".join(FILTERS[name] for name in given) or "true"
        limit = min(int(job.source.get("limit") or self._max_rows), self._max_rows)
        with self._store.transaction() as tx, tx.connection.cursor(name="job", cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.itersize = _PAGE
            cursor.execute(f"{_VIDEOS} WHERE {where} ORDER BY v.video_id LIMIT %(limit)s", {**given, "model": job.model, "limit": limit})
            while page := cursor.fetchmany(_PAGE):
                yield [_request(row) for row in page]


def _request(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a single prediction would take: stored features, else what the catalogue knows."""
    known = row["features"] or {name: _plain(value) for name, value in row.items() if name != "features"}
    return {**{name: value for name, value in known.items() if value is not None}, "video_id": row["video_id"]}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | datetime) else value


class StoredFeatureLookup:
    """Table `online_features`, then the catalogue, many at once."""

    def __init__(self, store: PostgresStore) -> None:
        self._store = store

    def get_many(self, model: str, entities: Any) -> Mapping[str, StoredFeatures]:
        with self._store.transaction() as tx, tx.connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute("SELECT entity, features, as_of FROM online_features WHERE model = %s AND entity = ANY(%s)", (model, list(entities)))
            found = {row["entity"]: StoredFeatures(row["features"], row["as_of"]) for row in cursor.fetchall()}
            left = [entity for entity in entities if entity not in found]
            if left:
                cursor.execute(f"{_VIDEOS} WHERE v.video_id = ANY(%(ids)s)", {"model": model, "ids": left})
                found |= {row["video_id"]: StoredFeatures(_without_id(_request(row)), datetime.min.replace(tzinfo=UTC)) for row in cursor.fetchall()}
        return found


def _without_id(request: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in request.items() if name != "video_id"}
