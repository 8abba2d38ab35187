"""The canary of a promotion against real tables: its verdicts, deaths, and what comes in between."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from evergreen.contracts.actions import ActionKind, ActionStatus
from evergreen.core.canary import CanaryRules, CanaryTally
from evergreen.core.errors import ChampionConflict, DeploymentRefused
from evergreen.ports.champions import DeploymentRow
from evergreen.services.canary_step import CanaryStep
from evergreen.services.deploy import Deploy
from evergreen.services.promote import Promote
from evergreen.settings import Settings
from tests.support.claims import said
from tests.support.deploying import Bench, deploy_bench
from tests.support.meanwhile import repeatedly
from tests.support.tiny import NAME
from tests.support.worker_processes import until

pytestmark = pytest.mark.connected


@pytest.fixture
def bench(postgres_settings: Settings, tmp_path: Path) -> Iterator[Bench]:
    """Version 1 serves, 2 is approved against it."""
    with deploy_bench(postgres_settings, tmp_path) as made:
        made.version(1, stable=True)
        made.promote(1)
        made.version(2, against=1)
        yield made


def deploying(bench: Bench, *, seconds: float = 1.0, share: float = 0.2, replaying: bool = False) -> Deploy:
    step = CanaryStep(bench.store, bench.registry, lambda _: CanaryRules(share, seconds, 100), lambda: replaying)
    return Deploy(bench.store, bench.clock, bench.carry_out, bench.projection, min_confirmations=1, confirm_seconds=15.0, canary=step)


@contextmanager
def counted(bench: Bench, tally: CanaryTally) -> Iterator[None]:
    """Both workers count so much as soon as there is a canary."""

    def count() -> None:
        with bench.store.transaction() as tx, tx.connection.cursor() as cursor:
            for worker in ("a", "b"):
                cursor.execute(
                    """INSERT INTO canary_tallies SELECT id, %s, %s, %s, %s FROM deployments WHERE status = 'canary' ON CONFLICT DO NOTHING""",
                    (worker, tally.asked, tally.failed, tally.late),
                )

    with repeatedly(count, 0.02):
        yield


def canary_of(bench: Bench) -> DeploymentRow | None:
    newest = bench.history()[0]
    return newest if newest.status == "canary" else None


def test_a_good_one_takes_over_with_its_verdict_on_record(bench: Bench) -> None:
    with counted(bench, CanaryTally(200, 1, 0)):
        result = bench.promote(2, deploying(bench))
    assert (bench.champion(), result["canary"]) == ((2, 2), "canary of 20%: 400 answers, 2 failed, 0 too slow")
    row = bench.history()[0]
    assert (row.status, row.canary_share, row.canary_verdict) == ("confirmed", 0.2, result["canary"])


@pytest.mark.parametrize(
    ("tally", "why"),
    [
        pytest.param(CanaryTally(100, 10, 0), "20 of 200 answers failed", id="fails"),
        pytest.param(CanaryTally(100, 0, 90), "180 of 200 answers were too slow", id="slow"),
    ],
)
def test_a_bad_one_is_cancelled_at_once_and_quarantined(bench: Bench, tally: CanaryTally, why: str) -> None:
    claim = bench.claim(ActionKind.PROMOTE, 2)
    with counted(bench, tally), pytest.raises(DeploymentRefused, match=why):
        Promote(deploying(bench, seconds=60)).run(claim)
    assert (bench.champion(), bench.history()[0].status, bench.status(claim)) == ((1, 1), "cancelled", ActionStatus.FAILED)
    assert why in next(event.data["error"] for event in said(bench.store, "/airflow/promote") if event.type == "action_failed")
    assert why in bench.registry.tags["tiny@2"]["evergreen.quarantined"]
    with pytest.raises(DeploymentRefused, match="quarantined: canary of 20%"):
        bench.promote(2, forced=True)


def test_without_enough_traffic_nothing_was_shown_and_it_takes_over(bench: Bench) -> None:
    with counted(bench, CanaryTally(20)):
        result = bench.promote(2, deploying(bench))
    assert (bench.champion(), result["canary"]) == ((2, 2), "canary of 20%: not enough traffic, 40 answers, 0 failed, 0 too slow")


@pytest.mark.parametrize("why", ["off", "forced", "replay", "the first"])
def test_where_none_is_wanted_it_takes_over_at_once(bench: Bench, why: str) -> None:
    if why == "the first":
        with bench.store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute("DELETE FROM champions")
        bench.version(3)
    deploy = deploying(bench, seconds=60, share=0.0 if why == "off" else 0.2, replaying=why == "replay")
    result = bench.promote(3 if why == "the first" else 2, deploy, forced=why == "forced")
    assert "canary" not in result
    assert bench.history()[0].canary_share is None


class _Died(BaseException):
    """A kill -9 where it is raised."""


def test_a_run_that_died_is_taken_up_and_watches_to_the_same_end(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    claim, dying = bench.claim(ActionKind.PROMOTE, 2), deploying(bench, seconds=60)

    def dies(*_: object) -> None:
        raise _Died

    with monkeypatch.context() as patched:
        patched.setattr(CanaryStep, "watched", dies)
        with pytest.raises(_Died):
            Promote(dying).run(claim)
    assert canary_of(bench) is not None
    with counted(bench, CanaryTally(100, 50, 0)), pytest.raises(DeploymentRefused, match="100 of 200 answers failed"):
        Promote(deploying(bench, seconds=60)).run(claim)
    assert [row.status for row in bench.history()] == ["cancelled", "confirmed"]


def test_a_worker_that_dies_meanwhile_leaves_what_it_counted(bench: Bench) -> None:
    with ThreadPoolExecutor(1) as pool, counted(bench, CanaryTally(100)):
        promoting = pool.submit(bench.promote, 2, deploying(bench, seconds=2.0))
        until(lambda: canary_of(bench) is not None)
        bench.workers[1].alive = False
        with bench.store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute("UPDATE serving_workers SET heartbeat_at = clock_timestamp() - interval '6 seconds' WHERE worker_id = 'b'")
        result = promoting.result(20)
    assert (result["confirmed_by"], result["canary"]) == (["a"], "canary of 20%: 200 answers, 0 failed, 0 too slow")


def test_a_rollback_does_not_wait_for_a_canary(bench: Bench) -> None:
    bench.registered(2)
    bench.version(3, stable=True)
    bench.registered(1)
    claim = bench.claim(ActionKind.PROMOTE, 2)
    with ThreadPoolExecutor(1) as pool:
        promoting = pool.submit(Promote(deploying(bench, seconds=60)).run, claim)
        until(lambda: canary_of(bench) is not None)
        bench.roll_back(from_version=f"{NAME}@1")
        with pytest.raises(ChampionConflict, match="its canary gave way to rollback"):
            promoting.result(20)
    assert bench.champion() == (3, 2)
    assert bench.status(claim) is ActionStatus.FAILED
