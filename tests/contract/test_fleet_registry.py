"""What a serving worker reads of deployments and says about them: the twin and the real tables, held to the same behaviour."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.adapters.fleet_registry import PostgresFleet
from evergreen.adapters.memory.serving import MemoryFleet
from evergreen.adapters.postgres.clock import PlatformClock
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.core.canary import CanaryTally
from evergreen.core.clock import wall_now
from evergreen.core.errors import Unavailable
from evergreen.core.experiment import Experiment, Variant
from evergreen.ports.champions import DeploymentRow
from evergreen.ports.experiments import ExperimentRow
from evergreen.ports.serving import Beat, ChampionNow, Fleet, FleetRegistry, Preparing
from evergreen.settings import Settings
from tests.support.claims import emptied

pytestmark = pytest.mark.anyio
MODEL, WORKER = "video_performance", "serving-00:1:abc"
FIRST, SECOND = uuid4(), uuid4()


@dataclass
class Tables:
    """A promotion's side of the real tables, with the twin's words."""

    store: PostgresStore

    def prepare(self, deployment: UUID, model: str, version: int) -> None:
        with self.store.transaction() as tx:
            champion = tx.champions.get(model)
            previous, epoch = (champion.version, champion.epoch + 1) if champion else (None, 1)
            tx.deployments.start(DeploymentRow(deployment, model, version, previous, "promote", "preparing", epoch, None, False, "test"))

    def flip(self, deployment: UUID, *, shadow: bool = False) -> None:
        with self.store.transaction() as tx:
            row = tx.deployments.get(deployment)
            assert row is not None
            assert tx.champions.compare_and_set(row.model, row.version, seen_epoch=row.epoch - 1, deployment_id=row.id, since=wall_now())
            tx.deployments.flipped(deployment, [WORKER], wall_now())
            tx.deployments.confirmed(deployment)
            if not shadow:
                tx.deployments.mark_stable(deployment, wall_now())

    def begin_canary(self, deployment: UUID, share: float) -> None:
        with self.store.transaction() as tx:
            tx.deployments.begin_canary(deployment, share)

    @property
    def tallies(self) -> dict[UUID, CanaryTally]:
        with self.store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute("SELECT DISTINCT deployment_id FROM canary_tallies")
            return {UUID(str(one)): tx.deployments.canary_tally(one) for (one,) in cursor.fetchall()}

    def close(self, deployment: UUID) -> None:
        with self.store.transaction() as tx:
            tx.deployments.closed(deployment, "cancelled", "test")

    def end_bake(self, model: str) -> None:
        with self.store.transaction() as tx:
            champion = tx.champions.get(model)
            assert champion is not None
            tx.deployments.mark_stable(champion.deployment_id, wall_now())

    def begin(self, *running: Experiment) -> None:
        with self.store.transaction() as tx:
            for row in tx.experiments.running():
                tx.experiments.end(row.plan.name, "stopped", at=wall_now(), by="test", reason="another")
            for one in running:
                assert tx.experiments.start(ExperimentRow(one, "ctr", timedelta(hours=24), "test", "test", wall_now(), wall_now() + timedelta(days=1)))

    def acks(self) -> list[tuple[str, UUID, str]]:
        with self.store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute("SELECT phase, deployment_id, detail FROM worker_acks ORDER BY at")
            return [(phase, UUID(str(deployment)), detail) for phase, deployment, detail in cursor.fetchall()]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Both:
    worker: FleetRegistry
    promoter: Any

    @property
    def acks(self) -> list[tuple[str, UUID, str]]:
        found = self.promoter.acks
        return list(found() if callable(found) else found)


@pytest.fixture(params=["memory", pytest.param("real", marks=pytest.mark.connected)])
async def both(request: pytest.FixtureRequest) -> AsyncIterator[Both]:
    if request.param == "memory":
        fleet = MemoryFleet()
        yield Both(fleet, fleet)
        return
    settings: Settings = request.getfixturevalue("postgres_settings")
    store = emptied(PostgresStore(settings.postgres.dsn.get_secret_value()))
    postgres = AsyncPostgres(settings.postgres.dsn.get_secret_value())
    yield Both(PostgresFleet(postgres, [MODEL]), Tables(store))
    await postgres.close()
    store.close()


async def started(both: Both) -> None:
    await both.worker.beat(Beat(WORKER, 1, "ready"))


async def looked(both: Both) -> tuple[list[ChampionNow], list[Preparing]]:
    found: Fleet = await both.worker.look()
    return list(found.champions), list(found.preparing)


async def test_a_deployment_is_seen_preparing_then_serving(both: Both) -> None:
    assert await looked(both) == ([], [])
    both.promoter.prepare(FIRST, MODEL, 1)
    assert await looked(both) == ([], [Preparing(FIRST, MODEL, 1)])
    both.promoter.flip(FIRST)
    assert await looked(both) == ([ChampionNow(MODEL, 1, 1, FIRST)], [])


async def test_until_it_is_stable_the_one_before_is_its_shadow(both: Both) -> None:
    for deployment, version in ((FIRST, 1), (SECOND, 2)):
        both.promoter.prepare(deployment, MODEL, version)
        both.promoter.flip(deployment, shadow=True)
    assert (await looked(both))[0] == [ChampionNow(MODEL, 2, 2, SECOND, shadow_version=1)]
    both.promoter.end_bake(MODEL)
    assert (await looked(both))[0] == [ChampionNow(MODEL, 2, 2, SECOND)]


async def test_the_experiment_that_runs_is_seen_and_told_at_once(both: Both) -> None:
    heard = asyncio.Event()
    await both.worker.listen(heard.set)
    plan = Experiment("titles", MODEL, (Variant("control", version=1), Variant("b", 2.0, 2, {"diversity": 0.5})), 0.3)
    both.promoter.begin(plan)
    async with asyncio.timeout(2):
        await heard.wait()
    assert list((await both.worker.look()).experiments) == [plan]
    both.promoter.begin()
    assert list((await both.worker.look()).experiments) == []


async def test_prepared_is_said_once_and_only_while_it_prepares(both: Both) -> None:
    await started(both)
    both.promoter.prepare(FIRST, MODEL, 1)
    await both.worker.acknowledge_prepared(WORKER, FIRST)
    await both.worker.acknowledge_prepared(WORKER, FIRST)
    assert both.acks == [("prepared", FIRST, "")]
    both.promoter.close(FIRST)
    both.promoter.prepare(SECOND, MODEL, 2)
    both.promoter.flip(SECOND)
    assert not await both.worker.acknowledge_prepared(WORKER, SECOND)
    assert both.acks == [("prepared", FIRST, "")]


async def test_serving_is_said_only_of_the_epoch_that_is(both: Both) -> None:
    await started(both)
    both.promoter.prepare(FIRST, MODEL, 1)
    both.promoter.flip(FIRST)
    [first], _ = await looked(both)
    both.promoter.prepare(SECOND, MODEL, 2)
    both.promoter.flip(SECOND)
    assert not await both.worker.acknowledge_serving(WORKER, first)
    [second], _ = await looked(both)
    assert await both.worker.acknowledge_serving(WORKER, second)
    assert both.acks == [("serving", SECOND, "")]


async def test_a_refusal_carries_its_reason_and_ends_with_the_deployment(both: Both) -> None:
    await started(both)
    both.promoter.prepare(FIRST, MODEL, 1)
    assert await both.worker.refuse(WORKER, FIRST, "its SHA-256 is not the manifest's")
    both.promoter.close(FIRST)
    assert not await both.worker.refuse(WORKER, FIRST, "again")
    assert both.acks == [("refused", FIRST, "its SHA-256 is not the manifest's")]


async def test_a_canary_is_seen_with_its_share_and_counted_while_it_lasts(both: Both) -> None:
    await started(both)
    both.promoter.prepare(FIRST, MODEL, 1)
    assert not await both.worker.report_canary(WORKER, FIRST, CanaryTally(1))
    both.promoter.begin_canary(FIRST, 0.2)
    assert (await looked(both))[1] == [Preparing(FIRST, MODEL, 1, 0.2)]
    assert await both.worker.acknowledge_prepared(WORKER, FIRST)
    for tally in (CanaryTally(10, 1, 0), CanaryTally(20, 2, 1)):
        assert await both.worker.report_canary(WORKER, FIRST, tally)
    assert both.promoter.tallies == {FIRST: CanaryTally(20, 2, 1)}
    both.promoter.flip(FIRST)
    assert not await both.worker.report_canary(WORKER, FIRST, CanaryTally(30))
    assert both.promoter.tallies == {FIRST: CanaryTally(20, 2, 1)}


async def test_every_change_is_heard(both: Both) -> None:
    heard = asyncio.Event()
    await both.worker.listen(heard.set)
    for change in (lambda: both.promoter.prepare(FIRST, MODEL, 1), lambda: both.promoter.flip(FIRST)):
        heard.clear()
        await asyncio.to_thread(change) if isinstance(both.promoter, Tables) else change()
        async with asyncio.timeout(5):
            await heard.wait()


@pytest.mark.connected
async def test_a_move_of_the_clock_is_heard_and_read(postgres_settings: Settings) -> None:
    dsn = postgres_settings.postgres.dsn.get_secret_value()
    postgres, store, heard = AsyncPostgres(dsn), PostgresStore(dsn), asyncio.Event()
    fleet, clock = PostgresFleet(postgres, [MODEL]), PlatformClock(store)
    await fleet.listen(heard.set)
    there = datetime(2031, 1, 1, tzinfo=UTC)
    await asyncio.to_thread(clock.replay_from, there, 0.0)
    async with asyncio.timeout(5):
        await heard.wait()
    found = (await fleet.look()).clock
    await asyncio.to_thread(clock.follow_wall)
    assert found is not None
    assert found.at(wall_now()) == there
    await postgres.close()
    store.close()


@pytest.mark.connected
async def test_postgres_away_is_unavailable_within_its_time() -> None:
    fleet = PostgresFleet(AsyncPostgres("postgresql://nobody@127.0.0.1:1/none"), [MODEL])
    async with asyncio.timeout(10):
        for call in (fleet.look(), fleet.beat(Beat(WORKER, 1, "ready")), fleet.listen(lambda: None)):
            with pytest.raises(Unavailable):
                await call
