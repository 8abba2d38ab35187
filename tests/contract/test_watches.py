"""The monitor's memory, of every implementation; and what it observes, of the real tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest

from evergreen.adapters.memory.monitoring import MemoryMonitorStore
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.contracts.actions import Action, ActionKind
from evergreen.core.clock import FixedClock
from evergreen.ports.batches import BatchRow
from evergreen.ports.champions import DeploymentRow
from evergreen.ports.monitoring import Feed, MonitorStore, WatchRow
from evergreen.ports.versions import VersionRow
from evergreen.services.record_changes import RecordChanges
from evergreen.services.watch_parts import FAILED, RECOVERED, Probe, WatchParts
from evergreen.settings import Settings
from tests.support.claims import emptied, said
from tests.support.events import event
from tests.support.intake_bench import Bench

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
ROW = WatchRow("health:redis", True, "high", 1, NOON, alerted=True)
MODEL = "video_performance"


@pytest.fixture
def postgres(postgres_settings: Settings) -> Iterator[PostgresStore]:
    store = emptied(PostgresStore(postgres_settings.postgres.dsn.get_secret_value()))
    yield store
    store.close()


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.connected)])
def store(request: pytest.FixtureRequest) -> MonitorStore:
    if request.param == "memory":
        return MemoryMonitorStore()
    found: PostgresStore = request.getfixturevalue("postgres")
    return found


def test_what_was_said_is_remembered(store: MonitorStore) -> None:
    ended = replace(ROW, firing=False, said=2, alerted=False)
    with store.transaction() as tx:
        assert tx.watches.lock(ROW.name) is None
        tx.watches.put(ROW)
        tx.watches.put(replace(ROW, name="batch:videos.KR:2026-01-30"))
    with store.transaction() as tx:
        assert tx.watches.lock(ROW.name) == ROW
        assert [row.name for row in tx.watches.firing()] == ["batch:videos.KR:2026-01-30", "health:redis"]
        assert [row.name for row in tx.watches.firing("batch:")] == ["batch:videos.KR:2026-01-30"]
        tx.watches.put(ended)
    with store.transaction() as tx:
        assert tx.watches.lock(ROW.name) == ended
        assert tx.watches.firing("health:") == []


def test_what_is_undone_is_not_remembered(store: MonitorStore) -> None:
    def breaks() -> None:
        with store.transaction() as tx:
            tx.watches.put(ROW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        breaks()
    with store.transaction() as tx:
        assert tx.watches.lock(ROW.name) is None


@pytest.mark.connected
def test_a_failure_and_its_end_are_rows_of_the_outbox_and_alerts_once_each(postgres: PostgresStore) -> None:
    away = True
    clock = FixedClock(NOON)
    for _ in range(2):  # the second one is a restarted monitor
        record = RecordChanges(postgres, clock)
        watch = WatchParts([Probe("kafka", "critical", lambda: "no answer" if away else None)], record, failures=2)
        for _ in range(3):
            watch.run()
            assert record.flush() == 0
    away = False
    watch.run()
    record.flush()
    assert [(event.type, event.subject) for event in said(postgres, "/monitor")] == [(FAILED, "kafka"), (RECOVERED, "kafka")]
    with postgres.transaction() as tx:
        assert sorted(row.title for row in tx.alerts.unsettled(10)) == [f"[critical] {FAILED}: kafka", f"[resolved] {FAILED}: kafka"]


@pytest.mark.connected
@pytest.mark.parametrize(("stable", "named"), [pytest.param(False, f"{MODEL}@2", id="in-its-bake"), pytest.param(True, None, id="stable-before")])
def test_the_version_in_its_bake_is_the_champion_nobody_called_stable(postgres: PostgresStore, stable: bool, named: str | None) -> None:
    version = VersionRow(MODEL, 2, None, "run", "memory:", "test", date(2025, 1, 1), date(2025, 1, 24), 400, NOON, stable=stable)
    deployment = DeploymentRow(uuid4(), MODEL, 2, 1, "promote", "preparing", 1, None, False, "test")
    with postgres.transaction() as tx:
        assert tx.observations.version_in_bake() is None
        tx.versions.insert(version)
        tx.deployments.start(deployment)
        tx.champions.compare_and_set(MODEL, 2, seen_epoch=0, deployment_id=deployment.id, since=NOON)
        assert tx.observations.version_in_bake() == named
        assert tx.observations.models_with_champion() == [MODEL]
        tx.deployments.mark_stable(deployment.id, NOON)
        assert tx.observations.version_in_bake() is None


@pytest.mark.connected
def test_feeds_monitor_actions_and_figures_are_read_from_the_tables(postgres: PostgresStore) -> None:
    week = BatchRow("videos.KR", "b1", "x", date(2026, 1, 5), date(2026, 1, 11), 10, 0, [], "", "accepted", False, NOON)
    monitored = Action(id=uuid4(), kind=ActionKind.MONITOR, model=MODEL, target=MODEL, reason="test", due_at=NOON, as_of=NOON)
    with postgres.transaction() as tx:
        for row in (
            week,
            replace(week, batch_id="b2", first_day=date(2026, 1, 12), last_day=date(2026, 1, 12)),
            replace(week, batch_id="b3", status="rejected"),
        ):
            tx.batches.record(row)
        tx.actions.record_done(monitored, key="k", event_type="test", accepted_at=NOON, decision_seq=None, result={})
        tx.outbox.dead_letter(b"k", b"v", {"reason": "bad_json"}, letter_id="letter")
    with postgres.transaction() as tx:
        covered = [(date(2026, 1, 12), date(2026, 1, 12)), (date(2026, 1, 5), date(2026, 1, 11))]
        assert tx.observations.feeds() == [Feed("videos.KR", NOON, covered)]
        assert tx.observations.last_monitor_actions() == {MODEL: NOON}
        found = tx.observations.figures(NOON + timedelta(hours=1))
        assert (found.actions, found.unsent, found.dead_letters, found.events) == ({("monitor", "succeeded"): 1}, 1, 1, {})
        assert timedelta() < found.oldest_unsent < timedelta(minutes=1)
        assert (found.receive_p99, found.decide_p99) == (None, None)


@pytest.mark.connected
def test_answers_and_what_stopped_them_are_counted_from_the_decisions(postgres: PostgresStore) -> None:
    bench = Bench(postgres)
    bench.send(*(event("data_drift_detected", drift_score=0.7) for _ in range(3)))

    with postgres.transaction() as tx:
        found = tx.observations.figures(NOON)

    assert found.answers == {("retrain", "accepted"): 1, ("retrain", "suppressed"): 2, ("alert", "accepted"): 1, ("alert", "suppressed"): 2}
    assert found.stopped == {"cooldown": 4}
