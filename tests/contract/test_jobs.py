"""Table `jobs`: the same rules in memory and in Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.adapters.job_desk import PostgresJobDesk
from evergreen.adapters.memory.jobs import MemoryJobs
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.core.errors import Fenced, Unavailable
from evergreen.core.jobs import MAX_ATTEMPTS, JobFormat, JobKind, JobState
from evergreen.ports.jobs import Job, JobDesk, JobLease, JobStore, NewJob
from evergreen.settings import Settings
from tests.support.claims import emptied
from tests.support.worker_processes import until

LONG, OVER = timedelta(minutes=1), timedelta(milliseconds=-1)
MODEL = "video_performance"


@dataclass
class Table:
    desk: JobDesk
    store: JobStore
    loop: asyncio.AbstractEventLoop

    def do(self, awaitable: Any) -> Any:
        return self.loop.run_until_complete(awaitable)

    def add(self, subject: str = "ann", key: str | None = None, **other: Any) -> Job:
        new = NewJob(uuid4(), subject, MODEL, JobFormat.CSV, JobFormat.PARQUET, None, {"bytes": 3}, "hash", key)
        found: Job = self.do(self.desk.add(NewJob(**{**vars(new), **other}))).job
        return found

    def claim(self, runner: str = "r1", lease: timedelta = LONG, most: int = 5) -> Job | None:
        with self.store.transaction() as tx:
            return tx.jobs.claim(runner, lease, most)

    def claimed(self, **given: Any) -> tuple[Job, JobLease]:
        job = self.claim(**given)
        assert job is not None
        return job, JobLease(job.id, job.token)

    def finish(self, lease: JobLease, state: JobState = JobState.SUCCEEDED) -> None:
        with self.store.transaction() as tx:
            tx.jobs.finish(lease, state, done=7, errors={"invalid-row": 1}, result_bytes=99)

    def get(self, job: Job) -> Job:
        found: Job = self.do(self.desk.get(job.id))
        return found


def crown(store: PostgresStore, version: int) -> None:
    with store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO champions (model, version, epoch, deployment_id, since) VALUES (%s, %s, 1, gen_random_uuid(), clock_timestamp())", (MODEL, version)
        )


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.connected)])
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    loop = asyncio.new_event_loop()
    if request.param == "memory":
        memory = MemoryJobs({MODEL: 3})
        yield Table(memory, memory, loop)
        loop.close()
        return
    settings: Settings = request.getfixturevalue("postgres_settings")
    dsn = settings.postgres.dsn.get_secret_value()
    store = emptied(PostgresStore(dsn))
    crown(store, 3)
    links = AsyncPostgres(dsn)
    yield Table(PostgresJobDesk(links), store, loop)
    loop.run_until_complete(links.close())
    loop.close()
    emptied(store).close()


def test_jobs_are_claimed_oldest_first_by_the_champion_and_up_to_the_limit(table: Table) -> None:
    first, second = table.add(), table.add("bob")
    assert (table.get(first).ahead, table.get(second).ahead) == (0, 1)
    assert table.do(table.desk.claimable(1))
    job, _ = table.claimed(most=1)
    assert (job.id, job.state, job.version, job.token, job.attempts) == (first.id, JobState.RUNNING, 3, 1, 1)
    assert table.claim(most=1) is None
    assert not table.do(table.desk.claimable(1))
    assert table.claimed(most=2)[0].id == second.id
    assert table.claim() is None


def test_a_job_waits_until_its_model_has_a_champion(table: Table) -> None:
    table.add(model="other_model")
    assert not table.do(table.desk.claimable(5))
    assert table.claim() is None


def test_a_lease_that_ran_out_goes_to_another_with_the_same_version_and_fences_the_first(table: Table) -> None:
    table.add()
    _, old = table.claimed(lease=OVER)
    job, new = table.claimed(runner="r2", most=1)
    assert (job.version, new.token, job.attempts) == (3, old.token + 1, 2)
    with table.store.transaction() as tx:
        assert not tx.jobs.renew(old, LONG)
        assert not tx.jobs.tell(old, done=1, total=2, errors={}, kind=JobKind.SCORE)
        assert tx.jobs.renew(new, LONG)
    with pytest.raises(Fenced):
        table.finish(old)
    table.finish(new)


def test_what_a_dead_runner_held_can_be_claimed_at_once(table: Table) -> None:
    table.add()
    table.claimed(runner="dead")
    assert table.claim("r2") is None
    table.do(table.desk.left_by("dead"))
    assert table.claim("r2") is not None


def test_a_job_on_which_runners_die_fails(table: Table) -> None:
    job = table.add()
    for _ in range(MAX_ATTEMPTS):
        table.claimed(lease=OVER)
    assert table.claim() is None
    found = table.get(job)
    assert (found.state, found.error) == (JobState.FAILED, "the process that worked on it died each time")


def test_a_job_given_back_waits_again_and_costs_no_attempt(table: Table) -> None:
    job = table.add()
    _, lease = table.claimed()
    with table.store.transaction() as tx:
        tx.jobs.tell(lease, done=5, total=10, errors={"invalid-value": 2}, kind=JobKind.ROWS)
        tx.jobs.give_back(lease)
    found = table.get(job)
    assert (found.state, found.attempts, found.rows_done, found.rows_total, found.errors, found.kind, found.version) == (
        *(JobState.QUEUED, 0, 5, 10, {"invalid-value": 2}, JobKind.ROWS, 3),
    )
    assert table.claim() is not None


def test_the_end_is_told_once_and_stays(table: Table) -> None:
    job = table.add()
    _, lease = table.claimed()
    table.finish(lease)
    found = table.get(job)
    assert (found.state, found.rows_done, found.rows_total, found.result_bytes) == (JobState.SUCCEEDED, 7, 7, 99)
    assert found.finished_at is not None
    with pytest.raises(Fenced):
        table.finish(lease, JobState.FAILED)


@pytest.mark.parametrize("running", [False, True])
def test_an_open_job_can_be_cancelled_and_its_runner_is_fenced(table: Table, running: bool) -> None:
    job = table.add()
    lease = table.claimed()[1] if running else None
    assert table.do(table.desk.end(job.id)).state is JobState.CANCELLED
    assert table.do(table.desk.end(job.id)).state is JobState.CANCELLED
    assert table.claim() is None
    if lease is not None:
        with table.store.transaction() as tx:
            assert not tx.jobs.renew(lease, LONG)
            assert tx.jobs.kept() == set()


def test_one_key_of_one_caller_is_one_job(table: Table) -> None:
    first, again, bobs, keyless = table.add(key="k"), table.add(key="k"), table.add("bob", key="k"), table.add()
    assert first.id == again.id
    assert len({first.id, bobs.id, keyless.id}) == 3
    assert table.do(table.desk.keyed("ann", "k")).id == first.id
    assert table.do(table.desk.keyed("ann", "other")) is None


def test_pages_are_newest_first_and_a_callers_own_unless_all_are_asked(table: Table) -> None:
    ids = [table.add().id for _ in range(3)]
    other = table.add("bob").id
    page = table.do(table.desk.page("ann", 2, None))
    assert [job.id for job in page] == ids[:0:-1]
    rest = table.do(table.desk.page("ann", 2, (page[-1].created_at, page[-1].id)))
    assert [job.id for job in rest] == ids[:1]
    assert other in {job.id for job in table.do(table.desk.page(None, 10, None))}
    assert table.do(table.desk.waiting("ann")) == 3


def test_results_expire_and_what_is_open_never_does(table: Table) -> None:
    succeeded, cancelled, queued = table.add(), table.add(), table.add()
    table.finish(table.claimed()[1])
    table.do(table.desk.end(cancelled.id))
    with table.store.transaction() as tx:
        assert tx.jobs.kept() == {succeeded.id, queued.id}
        assert tx.jobs.expire(LONG) == []
        assert set(tx.jobs.expire(timedelta(milliseconds=-1))) == {succeeded.id, cancelled.id}
    assert table.get(succeeded).state is JobState.EXPIRED
    assert table.get(queued).state is JobState.QUEUED


@pytest.mark.connected
def test_whoever_sleeps_in_a_transaction_does_not_keep_its_job_from_others(postgres_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evergreen.adapters.postgres.jobs.IDLE_SECONDS", 1)
    dsn = postgres_settings.postgres.dsn.get_secret_value()
    store, links, loop = emptied(PostgresStore(dsn)), AsyncPostgres(dsn), asyncio.new_event_loop()
    crown(store, 3)
    table = Table(PostgresJobDesk(links), store, loop)
    table.add()
    _, lease = table.claimed(lease=OVER)

    def sleep() -> None:
        with store.transaction() as tx:
            assert tx.jobs.tell(lease, done=1, total=2, errors={}, kind=JobKind.SCORE)
            assert table.claim("other") is None  # its row is held
            until(lambda: table.claim("other") is not None, 20)

    with pytest.raises(Unavailable):
        sleep()
    loop.run_until_complete(links.close())
    loop.close()
    emptied(store).close()
