"""Prediction jobs as a caller sees them: handed in, looked at, ended.

Guarantee: a job is stored when its input is whole on disk, and under one idempotency key a caller has one job. Another's job does not
exist for those who may not see it. Failure: the connection breaks, the disk is full or Postgres is away before that. Remedy: nothing is
kept; the same request again."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from evergreen.contracts.envelope import canonical_json
from evergreen.core.access import Principal
from evergreen.core.errors import Gone, KeyReused, NotFound, NotReady, TooMany
from evergreen.core.jobs import JobFormat, JobKind, JobState, may_end, may_see, sees_all
from evergreen.ports.jobs import Job, JobDesk, JobFiles, NewJob


@dataclass(frozen=True)
class Wanted:
    """What a caller asks, apart from the rows."""

    model: str
    input_format: JobFormat
    output_format: JobFormat
    kind: JobKind | None = None
    key: str | None = None

    def hash(self, source: Mapping[str, Any]) -> str:
        kind = None if self.kind is None else self.kind.value
        said = {"model": self.model, "in": self.input_format.value, "out": self.output_format.value, "kind": kind, "source": dict(source)}
        return hashlib.sha256(canonical_json(said)).hexdigest()


class Jobs:
    def __init__(self, desk: JobDesk, files: JobFiles, *, max_open: int, max_bytes: int, poke: Callable[[], None] = lambda: None) -> None:
        self._desk = desk
        self._files = files
        self._max_open = max_open
        self.max_bytes = max_bytes
        self._poke = poke

    async def upload(self, principal: Principal, wanted: Wanted, body: AsyncIterator[bytes]) -> Job:
        """Raises TooLarge, TooMany, KeyReused, Unavailable."""
        first = await self._first(principal, wanted)
        if first is not None:
            return _same(first, wanted.hash({"sha256": await self._files.hash_of(body, self.max_bytes)}))
        job_id = uuid4()
        try:
            size, sha256 = await self._files.receive(job_id, wanted.input_format, body, self.max_bytes)
            return await self._add(job_id, principal, wanted, {"bytes": size, "sha256": sha256}, wanted.hash({"sha256": sha256}))
        except BaseException:
            await asyncio.shield(asyncio.to_thread(self._files.remove, job_id))
            raise

    async def of_table(self, principal: Principal, wanted: Wanted, source: Mapping[str, Any]) -> Job:
        """Raises TooMany, KeyReused, Unavailable."""
        first = await self._first(principal, wanted)
        if first is not None:
            return _same(first, wanted.hash(source))
        return await self._add(uuid4(), principal, wanted, source, wanted.hash(source))

    async def get(self, principal: Principal, job_id: UUID) -> Job:
        """Raises NotFound, Unavailable."""
        job = await self._desk.get(job_id)
        if job is None or not may_see(principal, job.subject):
            raise NotFound(f"no job {job_id}")
        return job

    async def page(self, principal: Principal, limit: int, before: tuple[datetime, UUID] | None, *, everybodys: bool = False) -> Sequence[Job]:
        """The caller's, newest first; `everybodys` for those who may see them. Raises NotFound, Unavailable."""
        if everybodys and not sees_all(principal):
            raise NotFound("only analysts, operators and services see everybody's jobs")
        return await self._desk.page(None if everybodys else principal.subject, limit, before)

    async def result(self, principal: Principal, job_id: UUID) -> tuple[Job, Path]:
        """Raises NotFound, NotReady, Gone, Unavailable."""
        job = await self.get(principal, job_id)
        if job.state is JobState.EXPIRED:
            raise Gone("the result was removed; ask for it again with a new job")
        if job.state is not JobState.SUCCEEDED:
            raise NotReady(f"the job is {job.state}: only one that succeeded has a result")
        path = self._files.result(job)
        if not await asyncio.to_thread(path.is_file):
            raise Gone("the result is not on this disk any more")
        return job, path

    async def end(self, principal: Principal, job_id: UUID) -> Job:
        """Raises NotFound, Unavailable."""
        job = await self.get(principal, job_id)
        if not may_end(principal, job.subject):
            raise NotFound(f"no job {job_id} of yours")
        ended = await self._desk.end(job_id)
        await asyncio.to_thread(self._files.remove, job_id)
        return ended or job

    async def _first(self, principal: Principal, wanted: Wanted) -> Job | None:
        """The job this key already stands for. Raises TooMany before a byte is read."""
        first = None if wanted.key is None else await self._desk.keyed(principal.subject, wanted.key)
        if first is None and await self._desk.waiting(principal.subject) >= self._max_open:
            raise TooMany(f"{self._max_open} of your jobs wait or run, which is as many as one caller may have")
        return first

    async def _add(self, job_id: UUID, principal: Principal, wanted: Wanted, source: Mapping[str, Any], content_hash: str) -> Job:
        formats = {"input_format": wanted.input_format, "output_format": wanted.output_format}
        new = NewJob(job_id, principal.subject, wanted.model, **formats, kind=wanted.kind, source=source, content_hash=content_hash, idempotency_key=wanted.key)
        found = await self._desk.add(new)
        if not found.new:  # two at once under one key
            await asyncio.to_thread(self._files.remove, job_id)
            return _same(found.job, content_hash)
        self._poke()
        return found.job


def _same(first: Job, content_hash: str) -> Job:
    if first.content_hash != content_hash:
        raise KeyReused("this Idempotency-Key stands for another job of yours")
    return first
