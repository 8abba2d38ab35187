"""Prediction jobs without a process or a database: real files, a made-up model whose predictions can be told by hand."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from evergreen.adapters.jobs.files import JobFolders
from evergreen.adapters.jobs.open_job import JobDoors
from evergreen.adapters.memory.jobs import MemoryJobs
from evergreen.core.errors import Unavailable
from evergreen.core.jobs import JobFormat, JobKind
from evergreen.domains.videos.spec import video_spec
from evergreen.ports.jobs import Job, NewJob, Scorer
from evergreen.ports.model import ModelSpec
from evergreen.ports.serving import StoredFeatures
from evergreen.services.run_job import Bounds, RunJob

SPEC = video_spec("KR")
NOW = datetime(2025, 7, 25, tzinfo=UTC)


def plain_score(matrix: Any) -> Any:
    """hour + 100 * category_id, not known = -1: what each row was asked with can be read from it."""
    known = np.where(np.isnan(matrix), -1.0, matrix)
    places = [SPEC.feature_names.index(name) for name in ("hour", "category_id")]
    return known[:, places[0]] + 100 * known[:, places[1]]


def written(rows: Sequence[Mapping[str, Any]], format: JobFormat) -> bytes:
    """A file of these rows."""
    if format is JobFormat.JSONL:
        return b"".join(json.dumps({name: value for name, value in row.items() if value is not None}).encode() + b"\n" for row in rows)
    body = io.BytesIO()
    table = pa.Table.from_pylist(list(rows))
    pq.write_table(table, body, row_group_size=37) if format is JobFormat.PARQUET else pacsv.write_csv(table, body)
    return body.getvalue()


def read(path: Path, format: JobFormat) -> list[dict[str, Any]]:
    if format is JobFormat.PARQUET:
        return list(pq.read_table(path).to_pylist())
    if format is JobFormat.JSONL:
        return [json.loads(line) for line in path.read_text().splitlines()]
    rows = csv.DictReader(path.read_text().splitlines())
    return [{name: (float(value) if name == "prediction" else value) if value else None for name, value in row.items()} for row in rows]


class MemoryLookup:
    def __init__(self) -> None:
        self.known: dict[str, StoredFeatures] = {}
        self.away = False

    def get_many(self, model: str, entities: Sequence[str]) -> Mapping[str, StoredFeatures]:
        if self.away:
            raise Unavailable("Postgres is away")
        return {entity: self.known[entity] for entity in entities if entity in self.known}


class JobBench:
    def __init__(self, folder: Path, *, spec: ModelSpec = SPEC, chunk_rows: int = 20, max_rows: int = 100_000) -> None:
        self.spec, self.table, self.folders = spec, MemoryJobs({spec.name: 3}), JobFolders(folder)
        self.lookup, self.stop = MemoryLookup(), threading.Event()
        self.score: Callable[[Any], Any] = plain_score
        self.loaded: list[int] = []
        store: Any = None  # of table jobs alone, which the connected tests run
        self.doors = JobDoors(self.folders, store, chunk_rows=chunk_rows, max_rows=max_rows)
        self.bounds = Bounds(timedelta(seconds=30), 5, max_rows)

    def add(self, body: bytes, format: JobFormat, *, output: JobFormat | None = None, kind: JobKind | None = None) -> UUID:
        async def taken() -> UUID:
            async def pieces() -> Any:
                yield body

            job_id = uuid4()
            size, _ = await self.folders.receive(job_id, format, pieces(), 2**30)
            await self.table.add(NewJob(job_id, "ann", self.spec.name, format, output or format, kind, {"bytes": size}, "hash"))
            return job_id

        return asyncio.run(taken())

    def runner(self, doors: Any = None) -> RunJob:
        return RunJob(self.table, doors or self.doors, self._load, self.lookup, lambda _: self.spec, self.bounds, self.stop)

    def run(self, job_id: UUID) -> Job:
        self.runner().run("r")
        return self.table.rows[job_id]

    def result(self, job_id: UUID) -> list[dict[str, Any]]:
        job = self.table.rows[job_id]
        return read(self.folders.result(job), job.output_format)

    def _load(self, model: str, version: int) -> Scorer:
        self.loaded.append(version)
        return Scorer(self.spec.feature_names, lambda matrix: self.score(matrix))
