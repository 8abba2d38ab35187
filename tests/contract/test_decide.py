"""Deciding on every store: in batches as one by one, from rows alone, coalesced."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.adapters.memory.store import MemoryStore
from evergreen.contracts.actions import ActionKind, ActionStatus
from evergreen.core.decision import GENESIS, chain
from tests.support.events import MODEL, NOON, WEEK, event, features
from tests.support.intake_bench import Bench

# Deciding in batches


SAID = st.one_of(
    st.tuples(st.just("data_processed"), st.fixed_dictionaries({"rows": st.integers(0, 150), "batch_id": st.sampled_from("abc")})),
    st.tuples(st.just("data_drift_detected"), st.fixed_dictionaries({"drift_score": st.floats(0, 1), "severity": st.sampled_from(["low", "medium"])})),
    st.tuples(st.just("model_performance_degraded"), st.fixed_dictionaries({"performance_drop": st.floats(0, 0.3), "rollback_helps": st.booleans()})),
    st.tuples(st.just("model_evaluation_completed"), st.fixed_dictionaries({"approved": st.booleans()})),
    st.tuples(st.just("model_training_completed"), st.fixed_dictionaries({"model_version": st.sampled_from([f"{MODEL}@2", f"{MODEL}@3"])})),
    st.tuples(st.just("action_failed"), st.fixed_dictionaries({"model": st.sampled_from([MODEL, "-", "nobody"])})),
)


@settings(deadline=None)
@given(said=st.lists(SAID, min_size=1, max_size=12), size=st.integers(1, 12), minutes=st.integers(0, 70))
def test_batches_of_any_size_decide_as_their_events_would_one_by_one(said: list[tuple[str, dict[str, Any]]], size: int, minutes: int) -> None:
    events = [event(name, event_id=f"e{number}", at=NOON + timedelta(seconds=number), **changes) for number, (name, changes) in enumerate(said)]
    together, alone = Bench(MemoryStore()), Bench(MemoryStore())

    for start in range(0, len(events), size):
        together.send(*events[start : start + size])
        for one in events[start : start + size]:
            alone.send(one)
        for bench in (together, alone):
            bench.clock.advance(timedelta(minutes=minutes))

    for model in (MODEL, "video_performance_us", "-"):
        assert [row.body for row in together.decisions(model)] == [row.body for row in alone.decisions(model)]
    assert [row.action for row in together.due()] == [row.action for row in alone.due()]


def test_the_chain_is_unbroken_over_batches(bench: Bench) -> None:
    for number in range(3):
        bench.send(*(event("data_drift_detected", severity="medium") for _ in range(number + 1)))

    rows, previous = bench.decisions(), GENESIS
    assert [row.seq for row in rows] == list(range(1, 7))
    for row in rows:
        assert row.prev_hash == previous
        assert row.hash == chain(previous, row.body.encode())
        previous = row.hash


def test_state_is_read_from_rows_so_a_restart_changes_nothing(bench: Bench) -> None:
    bench.send(event("data_drift_detected", drift_score=0.7))
    restarted = Bench(bench.store, bench.clock)
    restarted.offset = bench.offset

    restarted.send(event("data_drift_detected", drift_score=0.7))

    assert [row.outcome for row in restarted.decisions()] == ["accepted", "suppressed"]


def test_a_failed_action_starts_no_cooldown(bench: Bench) -> None:
    bench.send(event("data_drift_detected", drift_score=0.7))
    row = bench.claim(ActionKind.RETRAIN)
    with bench.store.transaction() as tx:
        claimed = tx.actions.claim(ActionKind.RETRAIN, "run", NOON, timedelta(minutes=1))
        assert claimed is not None
        tx.actions.finish(claimed.lease, ActionStatus.FAILED, error="boom")

    bench.send(event("data_drift_detected", drift_score=0.7))

    assert [row.outcome for row in bench.decisions()] == ["accepted", "accepted"]
    assert row.action.id not in {one.action.id for one in bench.due()}


# Coalescing


def test_windows_of_waiting_checks_are_merged_also_across_batches(bench: Bench) -> None:
    windows = [{"first_day": f"2025-07-{day:02}", "last_day": f"2025-07-{day + 6:02}"} for day in (2, 9, 16)]
    bench.send(*(event("data_processed", dataset="videos.US", window=window, batch_id=window["first_day"]) for window in windows[:2]))
    bench.send(event("data_processed", dataset="videos.US", window=windows[2], batch_id="b3"))

    (row,) = bench.due()
    assert row.action.params["windows"] == windows
    assert len(row.action.causes) == 3
    assert [one.outcome for one in bench.decisions("video_performance_us")] == ["accepted", "absorbed", "absorbed"]


def test_a_claimed_check_is_not_changed_any_more(bench: Bench) -> None:
    bench.send(event("data_processed", dataset="videos.US"))
    claimed = bench.claim(ActionKind.DRIFT_CHECK)

    bench.send(event("data_processed", dataset="videos.US", batch_id="b2"))

    with bench.store.transaction() as tx:
        row = tx.actions.get(claimed.action.id)
    assert row is not None
    assert len(row.action.causes) == 1
    assert len(bench.due()) == 1


def test_a_scheduled_retrain_is_not_rung_before_its_time_but_a_high_drift_hurries_it(bench: Bench) -> None:
    bench.send(event("data_drift_detected", severity="medium"))
    assert bench.requested() == []

    bench.send(event("data_drift_detected", drift_score=0.7))

    (row,) = bench.due()
    assert (row.action.reason, row.action.priority, len(row.action.causes)) == ("data_drift_high", "high", 2)
    assert [one["id"] for one in bench.requested()] == [str(row.action.id)]
    assert row.accepted_at == NOON


def test_alerts_are_recorded_with_their_facts(bench: Bench) -> None:
    bench.send(event("data_drift_detected", drift_score=0.71, affected_features=features(2), window=WEEK))

    with bench.store.transaction() as tx:
        (alert,) = tx.alerts.newest(10)
    assert alert.title == f"[high] Data drift: {MODEL}@1"
    assert alert.message == "Drift score 0.710, 2 affected features. Action needed."
