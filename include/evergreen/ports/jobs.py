"""Prediction jobs: their table, as the desk that takes them sees it and as the runner that works on one; their files; their rows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from uuid import UUID

from evergreen.core.jobs import JobFormat, JobKind, JobState

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from evergreen.ports.model import Scoring
    from evergreen.ports.serving import StoredFeatures


@dataclass(frozen=True)
class NewJob:
    id: UUID
    subject: str
    """Who asked, of the verified token."""
    model: str
    input_format: JobFormat
    output_format: JobFormat
    kind: JobKind | None
    """None: by the columns."""
    source: Mapping[str, Any]
    """`{"bytes": n}` of an upload, or `{"table": …, filters}`. JSON."""
    content_hash: str
    """Of everything that was asked: the same under one idempotency key is the same job."""
    idempotency_key: str | None = None


@dataclass(frozen=True)
class Job:
    id: UUID
    subject: str
    model: str
    version: int | None
    input_format: JobFormat
    output_format: JobFormat
    kind: JobKind | None
    source: Mapping[str, Any]
    content_hash: str
    state: JobState
    rows_done: int
    rows_total: int | None
    errors: Mapping[str, int]
    """Rows without a prediction, by `RowFault`."""
    error: str | None
    """Why the job failed."""
    token: int
    attempts: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    result_bytes: int | None
    ahead: int = 0
    """Queued jobs that come before it."""


class JobLease(NamedTuple):
    job_id: UUID
    token: int


class Found(NamedTuple):
    """A stored job and whether this call stored it."""

    job: Job
    new: bool


class JobDesk(Protocol):
    """Table `jobs` for an event loop. Every call raises Unavailable."""

    async def waiting(self, subject: str) -> int:
        """Open jobs of this subject."""

    async def add(self, job: NewJob) -> Found:
        """Queued. Under an idempotency key the subject has used: that job, unchanged."""

    async def keyed(self, subject: str, key: str) -> Job | None: ...

    async def get(self, job_id: UUID) -> Job | None: ...

    async def page(self, subject: str | None, limit: int, before: tuple[datetime, UUID] | None) -> Sequence[Job]:
        """Newest first; None: everybody's."""

    async def end(self, job_id: UUID) -> Job | None:
        """An open job becomes cancelled (its runner is fenced), a succeeded one expired; others stay as they are."""

    async def claimable(self, most: int) -> bool:
        """One waits that a runner could take: its model has a champion, and fewer than `most` run."""

    async def left_by(self, runner: str) -> None:
        """That runner is dead: what it held may be claimed at once."""


class JobQueue(Protocol):
    """Table `jobs` for a runner, inside a transaction. Wall time rules leases."""

    def claim(self, runner: str, lease_for: timedelta, most: int) -> Job | None:
        """The oldest that waits or whose lease ran out, with a token of its own; never when `most` run with a lease that holds. Its version
        is the champion of its first claim, ever after. One that killed MAX_ATTEMPTS runners is failed here."""

    def renew(self, lease: JobLease, lease_for: timedelta) -> bool: ...

    def tell(self, lease: JobLease, *, done: int, total: int | None, errors: Mapping[str, int], kind: JobKind) -> bool:
        """Progress. False: the job is another's now, or cancelled."""

    def finish(
        self, lease: JobLease, state: JobState, *, done: int, errors: Mapping[str, int], error: str | None = None, result_bytes: int | None = None
    ) -> None:
        """Raises Fenced."""

    def give_back(self, lease: JobLease) -> None:
        """Stopped in good order: queued again, and no attempt of it counts. Raises Fenced."""

    def expire(self, finished_before: timedelta) -> Sequence[UUID]:
        """Succeeded jobs older than this lose their result; returns them and every job that ended so long ago without one."""

    def kept(self) -> set[UUID]:
        """Jobs whose files are still wanted."""


class JobTransaction(Protocol):
    @property
    def jobs(self) -> JobQueue: ...


class JobStore(Protocol):
    def transaction(self) -> AbstractContextManager[JobTransaction]: ...


class JobFiles(Protocol):
    """Where jobs' inputs and results lie: one folder each."""

    async def receive(self, job_id: UUID, format: JobFormat, body: AsyncIterator[bytes], limit: int) -> tuple[int, str]:
        """Streamed to disk, whole or not at all. Returns (bytes, SHA-256). Raises TooLarge, Unavailable (no room)."""

    async def hash_of(self, body: AsyncIterator[bytes], limit: int) -> str:
        """Of a body that is not kept. Raises TooLarge."""

    def result(self, job: Job) -> Path: ...

    def remove(self, job_id: UUID) -> None:
        """Everything of it; nothing there is fine."""

    def strays(self, kept: set[UUID], older_than: timedelta) -> Sequence[UUID]:
        """Folders of no job that is kept, left by a crash."""


@dataclass
class Chunk:
    """Some consecutive rows of an input."""

    rows: int
    end: int
    """Where the next chunk begins, in the reader's own measure."""
    ids: Any = None
    """Column of `rows` texts, or None when the input has no ids."""
    matrix: NDArray[np.float64] | None = None
    """Kind score: (rows, features), NaN = not known."""
    requests: Sequence[Mapping[str, Any]] | None = None
    """Kind rows."""
    faults: dict[int, str] = field(default_factory=dict)
    """Row -> why it cannot be used (`core.jobs.fault`)."""


class JobInput(Protocol):
    kind: JobKind

    @property
    def total(self) -> int | None:
        """Rows, as far as that can be told without reading them."""

    def chunks(self, begin: int) -> Iterator[Chunk]:
        """From a place that a chunk ended at. Memory stays flat whatever the file holds. Raises DataRejected."""


class Part(NamedTuple):
    """A finished chunk."""

    rows: int
    end: int
    errors: Mapping[str, int]


class JobOutput(Protocol):
    """The result of one job under one lease.

    Guarantee: a part is whole or not there, and what a runner whose lease is gone still writes is never looked at: each lease has a folder
    of its own, into which it takes over the finished parts of those before."""

    def adopt(self) -> Sequence[Part]:
        """The finished parts so far, from the first on without a gap."""

    def write(self, number: int, chunk: Chunk, predictions: NDArray[np.float64], version: str) -> Part: ...

    def join(self) -> int:
        """All parts as one file, in one step; returns its bytes."""

    def tidy(self) -> None:
        """After the job ended: only the result stays."""


@dataclass(frozen=True)
class Scorer:
    columns: Sequence[str]
    score: Scoring
    """Rows of `columns` -> primary predictions."""


class StoredLookup(Protocol):
    """The feature store for a runner. Raises Unavailable."""

    def get_many(self, model: str, entities: Sequence[str]) -> Mapping[str, StoredFeatures]: ...
