"""Promotion against real tables: refusals, silence, crashes, zombies, races."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from evergreen.contracts.actions import ActionKind, ActionStatus
from evergreen.core.champion import LIVE_SECONDS, Agreement, Phase
from evergreen.core.errors import ArtifactRefused, ChampionConflict, DeploymentRefused, EvergreenError, Fenced, NotConfirmed, Unavailable
from evergreen.ports.champions import DeploymentRow
from evergreen.ports.versions import VersionStatus
from evergreen.services.promote import Promote
from evergreen.settings import Settings
from tests.support.claims import said
from tests.support.deploying import NOW, Bench, deploy_bench
from tests.support.serving_workers import Worker
from tests.support.tiny import NAME
from tests.support.worker_processes import until

pytestmark = pytest.mark.connected


@pytest.fixture
def bench(postgres_settings: Settings, tmp_path: Path) -> Iterator[Bench]:
    with deploy_bench(postgres_settings, tmp_path) as made:
        yield made


def test_the_first_champion_is_prepared_flipped_and_confirmed_by_every_worker(bench: Bench) -> None:
    bench.version(1)
    result = bench.promote(1)
    assert bench.champion() == (1, 1)
    assert (result["model_version"], result["epoch"], result["kind"], result["confirmed_by"]) == ("tiny@1", 1, "promote", ["a", "b"])
    (row,) = bench.history()
    assert (row.status, row.required_workers, row.served_from, row.served_to) == ("confirmed", ("a", "b"), NOW, None)
    assert [event["model_version"] for event in bench.deployed()] == ["tiny@1"]
    assert bench.registry.aliases(NAME) == {"champion": 1}


def test_the_next_one_takes_over_and_history_says_who_served_when(bench: Bench) -> None:
    bench.version(1)
    bench.promote(1)
    bench.version(2, against=1)
    bench.clock.advance(timedelta(days=1))
    result = bench.promote(2)
    assert (bench.champion(), result["previous_version"]) == ((2, 2), "tiny@1")
    new, old = bench.history()
    assert (new.served_from, old.served_to) == (NOW + timedelta(days=1), NOW + timedelta(days=1))
    assert bench.registry.aliases(NAME) == {"champion": 2, "previous_champion": 1}
    assert all(worker.epochs == [1, 2] for worker in bench.workers)


@pytest.mark.parametrize(
    ("status", "against", "forced", "reason"),
    [
        pytest.param("candidate", None, False, "not approved", id="never-judged"),
        pytest.param("refused", None, False, "not approved", id="refused-by-the-gates"),
        pytest.param("approved", 7, False, "evaluate it again", id="compared-with-another-champion"),
    ],
)
def test_what_the_gates_did_not_approve_is_refused_for_good(bench: Bench, status: VersionStatus, against: int | None, forced: bool, reason: str) -> None:
    bench.version(1, status, against=against)
    claim = bench.claim(ActionKind.PROMOTE, 1)
    with pytest.raises(DeploymentRefused, match=reason):
        Promote(bench.deploy()).run(claim)
    assert (bench.champion(), bench.history(), bench.status(claim)) == (None, [], ActionStatus.FAILED)
    assert [event.type for event in said(bench.store, "/airflow/promote")] == ["action_failed"]


def test_force_skips_the_gates_and_is_recorded(bench: Bench) -> None:
    bench.version(1, "refused")
    result = bench.promote(1, forced=True, reason="drill", requested_by="ana")
    assert (bench.champion(), result["forced"], result["reason"]) == ((1, 1), True, "forced by ana: drill")
    assert bench.history()[0].forced


def test_force_does_not_lift_a_quarantine(bench: Bench) -> None:
    bench.version(1)
    with bench.store.transaction() as tx:
        tx.versions.quarantine(NAME, 1, "it was bad")
    with pytest.raises(DeploymentRefused, match="quarantined: it was bad"):
        bench.promote(1, forced=True)


def test_a_worker_that_refuses_the_artifact_cancels_before_anything_changed(bench: Bench) -> None:
    bench.version(1)
    bench.promote(1)
    bench.version(2, against=1)
    bench.workers[1].refuses = True
    claim = bench.claim(ActionKind.PROMOTE, 2)
    with pytest.raises(ArtifactRefused, match=r"b: primary\.skops"):
        Promote(bench.deploy()).run(claim)
    assert (bench.champion(), bench.history()[0].status, bench.status(claim)) == ((1, 1), "cancelled", ActionStatus.FAILED)


def test_a_worker_that_does_not_prepare_in_time_cancels_and_the_action_may_be_tried_again(bench: Bench) -> None:
    bench.version(1)
    bench.workers[1].prepares = False
    claim = bench.claim(ActionKind.PROMOTE, 1)
    with pytest.raises(NotConfirmed, match="1 of 2 live serving workers answered, no answer from b"):
        Promote(bench.deploy(confirm_seconds=0.5)).run(claim)
    assert (bench.champion(), bench.history()[0].status, bench.status(claim)) == (None, "cancelled", ActionStatus.CLAIMED)
    bench.workers[1].prepares = True
    Promote(bench.deploy()).run(claim)
    assert bench.champion() == (1, 1)


def test_without_a_live_worker_nothing_is_promoted(bench: Bench) -> None:
    bench.version(1)
    for worker in bench.workers:
        worker.alive = False
    with bench.store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute("UPDATE serving_workers SET heartbeat_at = clock_timestamp() - interval '1 minute'")
    with pytest.raises(NotConfirmed, match="0 of 0 live"):
        bench.promote(1, bench.deploy(confirm_seconds=0.3))
    assert bench.champion() is None


def test_zero_confirmations_need_no_worker(bench: Bench) -> None:
    bench.version(1)
    for worker in bench.workers:
        worker.alive = False
    with bench.store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute("DELETE FROM serving_workers")
    assert bench.promote(1, bench.deploy(min_confirmations=0))["confirmed_by"] == []
    assert bench.champion() == (1, 1)


def test_a_dead_worker_need_not_confirm(bench: Bench) -> None:
    bench.version(1)
    bench.workers[1].alive = False
    with bench.store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute("UPDATE serving_workers SET heartbeat_at = clock_timestamp() - interval '6 seconds' WHERE worker_id = 'b'")
    assert bench.promote(1)["confirmed_by"] == ["a"]


def test_a_worker_that_comes_while_a_version_prepares_confirms_it_too(bench: Bench) -> None:
    bench.version(1)
    bench.workers[0].prepares = False
    with ThreadPoolExecutor(1) as pool:
        promoting = pool.submit(bench.promote, 1, bench.deploy(confirm_seconds=20))
        until(lambda: bool(bench.history()))
        bench.workers.append(Worker("c"))
        until(lambda: len(bench.heard_of()) == 3)
        bench.workers[0].prepares = True
        assert promoting.result(20)["confirmed_by"] == ["a", "b", "c"]


def test_a_worker_that_drains_while_a_version_prepares_holds_nothing_up(bench: Bench) -> None:
    bench.version(1)
    bench.workers[1].prepares = False
    with ThreadPoolExecutor(1) as pool:
        promoting = pool.submit(bench.promote, 1, bench.deploy(confirm_seconds=20))
        until(lambda: bool(bench.history()))
        begun = time.monotonic()
        bench.workers[1].state = "draining"  # it goes on beating
        assert promoting.result(20)["confirmed_by"] == ["a"]
    assert time.monotonic() - begun < LIVE_SECONDS


def test_not_confirmed_after_the_flip_goes_back_with_a_new_epoch(bench: Bench) -> None:
    bench.version(1)
    bench.promote(1)
    bench.version(2, against=1)
    bench.workers[1].serves = False
    claim = bench.claim(ActionKind.PROMOTE, 2)

    def recover() -> None:
        """The stuck worker answers again once the old version is back."""
        pause = threading.Event()
        while (bench.champion() or (0, 0))[1] < 3:
            pause.wait(0.05)
        bench.workers[1].serves = True

    helper = threading.Thread(target=recover)
    helper.start()
    with pytest.raises(NotConfirmed, match="tiny@1 serves again"):
        Promote(bench.deploy(confirm_seconds=1.0)).run(claim)
    helper.join()
    back, failed, first = bench.history()
    assert bench.champion() == (1, 3)
    assert [(row.kind, row.status, row.epoch) for row in (first, failed, back)] == [
        ("promote", "confirmed", 1),
        ("promote", "reverted", 2),
        ("revert", "confirmed", 3),
    ]
    assert "no answer from b" in str(failed.error)
    assert failed.served_to is not None
    assert [(event["kind"], event["epoch"]) for event in bench.deployed()] == [("promote", 1), ("revert", 3)]
    assert bench.status(claim) is ActionStatus.CLAIMED


class _Died(BaseException):
    """A kill -9 where it is raised."""


@pytest.mark.parametrize("stage", ["preparing", "flipped"])
def test_a_run_that_died_is_taken_up_where_it_stood(bench: Bench, stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.version(1)
    claim = bench.claim(ActionKind.PROMOTE, 1)
    deploy = bench.deploy()
    calls = iter([stage == "preparing", True])
    real = deploy._await

    def dies(row: DeploymentRow, phase: Phase) -> Agreement:
        if next(calls):
            raise _Died
        return real(row, phase)

    monkeypatch.setattr(deploy, "_await", dies)
    with pytest.raises(_Died):
        Promote(deploy).run(claim)
    assert bench.history()[0].status == stage
    Promote(bench.deploy()).run(claim)
    assert [row.status for row in bench.history()] == ["confirmed"]
    assert (bench.champion(), len(bench.deployed())) == ((1, 1), 1)


def test_a_zombie_whose_lease_went_to_another_run_changes_nothing(bench: Bench) -> None:
    bench.version(1)
    claim = bench.claim(ActionKind.PROMOTE, 1)
    with bench.store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute("UPDATE actions SET token = token + 1")
    with pytest.raises(Fenced):
        Promote(bench.deploy()).run(claim)
    assert (bench.champion(), bench.history()) == (None, [])


def test_of_two_promoters_exactly_one_wins(bench: Bench) -> None:
    bench.version(1)
    bench.promote(1)
    outcomes: dict[int, str] = {}
    claims = {}
    for number in (2, 3):
        bench.version(number, against=1)
    claims[2] = bench.claim(ActionKind.PROMOTE, 2)
    with bench.store.transaction() as tx, tx.connection.cursor() as cursor:  # two runs at once, as overlapping retries could be
        cursor.execute("UPDATE actions SET model = 'other' WHERE id = %s", (claims[2].action.id,))
    claims[3] = bench.claim(ActionKind.PROMOTE, 3)

    def race(number: int) -> None:
        pause = threading.Event()
        for _ in range(200):
            try:
                Promote(bench.deploy()).run(claims[number])
                outcomes[number] = "won"
            except Unavailable:
                pause.wait(0.05)
                continue
            except EvergreenError as error:
                outcomes[number] = type(error).__name__
            return

    threads = [threading.Thread(target=race, args=(number,)) for number in (2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes.values()) == ["DeploymentRefused", "won"]
    winner = next(number for number, outcome in outcomes.items() if outcome == "won")
    assert bench.champion() == (winner, 2)


def test_losing_the_compare_and_set_cancels_and_fails_the_action(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.version(1)
    bench.promote(1)
    bench.version(2, against=1)
    deploy = bench.deploy()
    real = deploy._await

    def overtaken(row: DeploymentRow, phase: Phase) -> Agreement:
        seen = real(row, phase)
        with bench.store.transaction() as tx:
            tx.champions.compare_and_set(NAME, 1, seen_epoch=1, deployment_id=uuid4(), since=NOW)
        return seen

    monkeypatch.setattr(deploy, "_await", overtaken)
    claim = bench.claim(ActionKind.PROMOTE, 2)
    with pytest.raises(ChampionConflict, match="tiny@1 at epoch 2 serves now"):
        Promote(deploy).run(claim)
    assert (bench.champion(), bench.history()[0].status, bench.status(claim)) == ((1, 2), "cancelled", ActionStatus.FAILED)


def test_another_actions_open_deployment_is_respected_while_it_works_and_closed_when_it_does_not(bench: Bench) -> None:
    bench.version(1)
    first = bench.claim(ActionKind.PROMOTE, 1)
    open_row = DeploymentRow(uuid4(), NAME, 1, None, "promote", "preparing", 1, first.action.id, False, "test")
    with bench.store.transaction() as tx:
        tx.deployments.start(open_row)
    with bench.store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute("UPDATE actions SET model = 'other' WHERE id = %s", (first.action.id,))
    second = bench.claim(ActionKind.PROMOTE, 1)
    with pytest.raises(Unavailable, match="waits for it"):
        Promote(bench.deploy()).run(second)
    with bench.store.transaction(first.lease) as tx:
        tx.actions.finish(first.lease, ActionStatus.FAILED, error="gave up")
    Promote(bench.deploy()).run(second)
    assert [row.status for row in bench.history()] == ["confirmed", "cancelled"]


def test_promoting_the_champion_again_does_nothing(bench: Bench) -> None:
    bench.version(1)
    bench.promote(1)
    assert bench.promote(1) == {"outcome": "nothing_to_do", "reason": "tiny@1 serves already, at epoch 1"}
    assert bench.champion() == (1, 1)
