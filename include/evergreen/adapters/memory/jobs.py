"""Table `jobs` and what a runner opens, without a database: the same rules, for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from evergreen.core.clock import wall_now
from evergreen.core.errors import Fenced, Unavailable
from evergreen.core.jobs import MAX_ATTEMPTS, OPEN, JobKind, JobState
from evergreen.ports.jobs import Found, Job, JobLease, NewJob


class MemoryJobs:
    """Both sides: desk (coroutines) and, within `transaction()`, queue."""

    def __init__(self, champions: Mapping[str, int], now: Callable[[], datetime] = wall_now) -> None:
        self.champions = dict(champions)
        self.rows: dict[UUID, Job] = {}
        self.keys: dict[tuple[str, str], UUID] = {}
        self.leases: dict[UUID, tuple[str, datetime]] = {}
        self.away = False
        self._now = now
        self.jobs = _MemoryQueue(self)

    @contextmanager
    def transaction(self) -> Iterator[MemoryJobs]:
        self.answer()
        yield self

    def answer(self) -> None:
        if self.away:
            raise Unavailable("Postgres is away")

    async def waiting(self, subject: str) -> int:
        self.answer()
        return sum(job.subject == subject and job.state in OPEN for job in self.rows.values())

    async def add(self, job: NewJob) -> Found:
        self.answer()
        if job.idempotency_key is not None and (first := await self.keyed(job.subject, job.idempotency_key)) is not None:
            return Found(first, False)
        given: dict[str, Any] = {
            name: getattr(job, name) for name in ("id", "subject", "model", "input_format", "output_format", "kind", "source", "content_hash")
        }
        blank: dict[str, Any] = {"version": None, "rows_total": None, "error": None, "started_at": None, "finished_at": None, "result_bytes": None}
        self.rows[job.id] = Job(**given, **blank, state=JobState.QUEUED, rows_done=0, errors={}, token=0, attempts=0, created_at=self._now())
        if job.idempotency_key is not None:
            self.keys[job.subject, job.idempotency_key] = job.id
        return Found(self.rows[job.id], True)

    async def keyed(self, subject: str, key: str) -> Job | None:
        self.answer()
        found = self.keys.get((subject, key))
        return None if found is None else self.rows[found]

    async def get(self, job_id: UUID) -> Job | None:
        self.answer()
        job = self.rows.get(job_id)
        return None if job is None else self._placed(job)

    async def page(self, subject: str | None, limit: int, before: tuple[datetime, UUID] | None) -> Sequence[Job]:
        self.answer()
        found = [job for job in self.rows.values() if subject in (None, job.subject) and (before is None or (job.created_at, job.id) < before)]
        return [self._placed(job) for job in sorted(found, key=lambda job: (job.created_at, job.id), reverse=True)[:limit]]

    async def end(self, job_id: UUID) -> Job | None:
        job = await self.get(job_id)
        if job is not None and job.state in {*OPEN, JobState.SUCCEEDED}:
            state = JobState.EXPIRED if job.state is JobState.SUCCEEDED else JobState.CANCELLED
            self.rows[job_id] = replace(job, state=state, token=job.token + 1, finished_at=job.finished_at or self._now(), ahead=0)
        return self.rows.get(job_id)

    async def claimable(self, most: int) -> bool:
        self.answer()
        return self.jobs.running() < most and self.jobs.first() is not None

    async def left_by(self, runner: str) -> None:
        for job_id, (name, _) in self.leases.items():
            if name == runner:
                self.leases[job_id] = (name, self._now() - timedelta(milliseconds=1))

    def now(self) -> datetime:
        return self._now()

    def _placed(self, job: Job) -> Job:
        queued = [other for other in self.rows.values() if other.state is JobState.QUEUED]
        ahead = sum((other.created_at, other.id) < (job.created_at, job.id) for other in queued)
        return replace(job, ahead=ahead if job.state is JobState.QUEUED else 0)


class _MemoryQueue:
    def __init__(self, table: MemoryJobs) -> None:
        self._table = table

    def running(self) -> int:
        return sum(job.state is JobState.RUNNING and not self._over(job) for job in self._table.rows.values())

    def first(self) -> Job | None:
        waiting = [job for job in self._table.rows.values() if job.state is JobState.QUEUED or (job.state is JobState.RUNNING and self._over(job))]
        known = [job for job in waiting if job.version is not None or job.model in self._table.champions]
        return min(known, key=lambda job: (job.created_at, job.id), default=None)

    def claim(self, runner: str, lease_for: timedelta, most: int) -> Job | None:
        for job in list(self._table.rows.values()):
            if job.state is JobState.RUNNING and self._over(job) and job.attempts >= MAX_ATTEMPTS:
                said = "the process that worked on it died each time"
                self._table.rows[job.id] = replace(job, state=JobState.FAILED, error=said, finished_at=self._table.now())
        found = self.first() if self.running() < most else None
        if found is None:
            return None
        version = found.version or self._table.champions[found.model]
        counted: dict[str, Any] = {"token": found.token + 1, "attempts": found.attempts + 1, "started_at": found.started_at or self._table.now()}
        claimed = replace(found, state=JobState.RUNNING, version=version, **counted)
        self._table.rows[found.id], self._table.leases[found.id] = claimed, (runner, self._table.now() + lease_for)
        return claimed

    def renew(self, lease: JobLease, lease_for: timedelta) -> bool:
        if self._held(lease) is None:
            return False
        self._table.leases[lease.job_id] = (self._table.leases[lease.job_id][0], self._table.now() + lease_for)
        return True

    def tell(self, lease: JobLease, *, done: int, total: int | None, errors: Mapping[str, int], kind: JobKind) -> bool:
        held = self._held(lease)
        if held is not None:
            self._table.rows[held.id] = replace(held, rows_done=done, rows_total=total, errors=dict(errors), kind=kind)
        return held is not None

    def finish(
        self, lease: JobLease, state: JobState, *, done: int, errors: Mapping[str, int], error: str | None = None, result_bytes: int | None = None
    ) -> None:
        held = self._required(lease)
        total = done if state is JobState.SUCCEEDED else held.rows_total
        said: dict[str, Any] = {"rows_done": done, "rows_total": total, "errors": dict(errors), "error": error, "result_bytes": result_bytes}
        self._table.rows[held.id] = replace(held, state=state, finished_at=self._table.now(), **said)

    def give_back(self, lease: JobLease) -> None:
        held = self._required(lease)
        self._table.rows[held.id] = replace(held, state=JobState.QUEUED, attempts=held.attempts - 1)

    def expire(self, finished_before: timedelta) -> Sequence[UUID]:
        before = self._table.now() - finished_before
        gone = [job for job in self._table.rows.values() if job.state not in OPEN and job.finished_at is not None and job.finished_at < before]
        for job in gone:
            if job.state is JobState.SUCCEEDED:
                self._table.rows[job.id] = replace(job, state=JobState.EXPIRED)
        return [job.id for job in gone]

    def kept(self) -> set[UUID]:
        return {job.id for job in self._table.rows.values() if job.state in {*OPEN, JobState.SUCCEEDED}}

    def _over(self, job: Job) -> bool:
        return self._table.leases[job.id][1] < self._table.now()

    def _held(self, lease: JobLease) -> Job | None:
        job = self._table.rows.get(lease.job_id)
        return job if job is not None and job.token == lease.token and job.state is JobState.RUNNING else None

    def _required(self, lease: JobLease) -> Job:
        held = self._held(lease)
        if held is None:
            raise Fenced(f"job {lease.job_id} is no longer this runner's (token {lease.token})")
        return held
