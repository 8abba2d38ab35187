"""One prediction job, chunk by chunk, in a process of its own.

Guarantee: every row of the input has one place in the result, from one version, whatever dies when: a chunk is finished in one step, a
resumed job goes on after the last finished one. A runner whose lease went to another changes nothing any more (`ports.jobs.JobOutput`).
Failure: a row cannot be read or predicted. Remedy: its place holds the reason, and the job counts it. The whole input cannot be read: the
job fails and says why. Postgres is away: chunks go on, the end waits for it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

import structlog

from evergreen.core.errors import ArtifactRefused, DataRejected, Fenced, NotFound, Unavailable
from evergreen.core.jobs import JobState
from evergreen.ports.jobs import Chunk, Job, JobInput, JobLease, JobOutput, JobStore, Part, Scorer, StoredLookup
from evergreen.ports.model import ModelSpec
from evergreen.services.job_rows import scored

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PATIENCE = 300
"""How often the end of a job is told to a Postgres that is away, every two seconds."""
log = structlog.get_logger(__name__)


class Stopped(Exception):
    """Asked to end in good order."""


class Doors(Protocol):
    def input(self, job: Job, spec: ModelSpec) -> JobInput: ...
    def output(self, job: Job, spec: ModelSpec) -> JobOutput: ...
    def remove(self, job_id: UUID) -> None: ...


@dataclass(frozen=True)
class Bounds:
    lease: timedelta
    most_running: int
    max_rows: int


class RunJob:
    def __init__(
        self,
        store: JobStore,
        doors: Doors,
        load_scorer: Callable[[str, int], Scorer],
        stored: StoredLookup,
        spec: Callable[[str], ModelSpec],
        bounds: Bounds,
        stop: threading.Event,
    ) -> None:
        self._store = store
        self._doors = doors
        self._load_scorer = load_scorer
        self._stored = stored
        self._spec = spec
        self._bounds = bounds
        self._stop = stop

    def run(self, runner: str) -> Job | None:
        """The job it worked on, as claimed; None: nothing waits, or enough run already. Raises Unavailable."""
        with self._store.transaction() as tx:
            job = tx.jobs.claim(runner, self._bounds.lease, self._bounds.most_running)
        if job is None:
            return None
        lease = JobLease(job.id, job.token)
        work = _Work(job, lease, self._spec(job.model))
        with _Heartbeat(self._store, lease, self._bounds.lease) as heart:
            self._guarded(work, heart)
        return job

    def _guarded(self, work: _Work, heart: _Heartbeat) -> None:
        job = work.job
        try:
            self._work(work, heart)
        except Stopped:
            with self._store.transaction() as tx:
                tx.jobs.give_back(work.lease)
            log.info("job_given_back", job=str(job.id), rows=work.done)
        except (DataRejected, ArtifactRefused, NotFound) as error:
            self._end(work, JobState.FAILED, error=str(error))
            self._doors.remove(job.id)
        except MemoryError:
            self._end(work, JobState.FAILED, error="reading the file takes more memory than a job may have")
            self._doors.remove(job.id)
        except (Fenced, OSError) as error:
            if not isinstance(error, Fenced) and heart.beat():
                raise Unavailable(f"the job's files cannot be written: {error.strerror}") from error
            log.warning("job_lost", job=str(job.id), token=job.token)
            with self._store.transaction() as tx:
                wanted = job.id in tx.jobs.kept()
            if not wanted:  # cancelled: who did removed the files, but this process may have written since
                self._doors.remove(job.id)

    def _work(self, work: _Work, heart: _Heartbeat) -> None:
        job = work.job
        scorer = self._load_scorer(job.model, job.version or 0)
        source, output = self._doors.input(job, work.spec), self._doors.output(job, work.spec)
        for part in output.adopt():
            work.add(part)
        work.total = source.total
        log.info("job_begins", job=str(job.id), version=job.version, kind=source.kind, rows=work.total, done=work.done, attempt=job.attempts)
        with ThreadPoolExecutor(1, "read") as reading, ThreadPoolExecutor(1, "write") as writing:
            written: Future[Part] | None = None
            for chunk in _ahead(source.chunks(work.end), reading):
                self._look(heart)
                predictions = scored(chunk, work.spec, scorer, self._stored)
                if written is not None:
                    self._tell(work, written.result(), source)
                written = writing.submit(self._write, output, work.parts, chunk, predictions, f"{job.model}@{job.version}")
                self._bound(work, chunk)
            if written is not None:
                self._tell(work, written.result(), source)
        self._look(heart)
        size = output.join()
        self._end(work, JobState.SUCCEEDED, result_bytes=size)
        output.tidy()

    @staticmethod
    def _write(output: JobOutput, number: int, chunk: Chunk, predictions: NDArray[np.float64], version: str) -> Part:
        return output.write(number, chunk, predictions, version)

    def _bound(self, work: _Work, chunk: Chunk) -> None:
        work.taken += chunk.rows
        work.parts += 1
        if work.taken > self._bounds.max_rows:
            raise DataRejected(f"more than {self._bounds.max_rows} rows")

    def _look(self, heart: _Heartbeat) -> None:
        if heart.lost():
            raise Fenced("the job is another runner's, or was cancelled")
        if self._stop.is_set():
            raise Stopped

    def _tell(self, work: _Work, part: Part, source: JobInput) -> None:
        work.count(part)
        held = True
        with suppress(Unavailable), self._store.transaction() as tx:
            total = None if work.total is None else max(work.total, work.done)
            held = tx.jobs.tell(work.lease, done=work.done, total=total, errors=work.errors, kind=source.kind)
        if not held:
            raise Fenced("the job is another runner's, or was cancelled")

    def _end(self, work: _Work, state: JobState, *, error: str | None = None, result_bytes: int | None = None) -> None:
        for _ in range(PATIENCE):
            try:
                with self._store.transaction() as tx:
                    tx.jobs.finish(work.lease, state, done=work.done, errors=work.errors, error=error, result_bytes=result_bytes)
            except Unavailable as away:
                log.warning("end_not_told", job=str(work.job.id), error=str(away))
                self._stop.wait(2.0)
            else:
                log.info("job_ended", job=str(work.job.id), state=state, rows=work.done, errors=dict(work.errors), reason=error)
                return
        raise Unavailable("Postgres does not take the end of the job")


class _Work:
    """What has become of a job so far."""

    def __init__(self, job: Job, lease: JobLease, spec: ModelSpec) -> None:
        self.job, self.lease, self.spec = job, lease, spec
        self.done = self.end = self.parts = self.taken = 0
        self.total: int | None = None
        self.errors: Counter[str] = Counter()

    def add(self, part: Part) -> None:
        """Found finished."""
        self.parts += 1
        self.taken += part.rows
        self.count(part)

    def count(self, part: Part) -> None:
        self.done += part.rows
        self.end = part.end
        self.errors.update(part.errors)


class _Heartbeat:
    """Renews the lease beside the work, so that a long chunk loses nothing."""

    def __init__(self, store: JobStore, lease: JobLease, lease_for: timedelta) -> None:
        self._store, self._lease, self._for = store, lease, lease_for
        self._ended, self._lost = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def __enter__(self) -> _Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(5)

    def lost(self) -> bool:
        return self._lost.is_set()

    def beat(self) -> bool:
        """Whether the job is still this runner's, asked now. Raises Unavailable."""
        with self._store.transaction() as tx:
            held = tx.jobs.renew(self._lease, self._for)
        if not held:
            self._lost.set()
        return held

    def _run(self) -> None:
        while not self._ended.wait(self._for.total_seconds() / 5):
            with suppress(Unavailable):
                if not self.beat():
                    return


def _ahead(chunks: Iterator[Chunk], pool: ThreadPoolExecutor) -> Iterator[Chunk]:
    """Each chunk while the next is being read."""
    nothing: Any = None
    coming = pool.submit(next, chunks, nothing)
    while (chunk := coming.result()) is not None:
        coming = pool.submit(next, chunks, nothing)
        yield chunk
