"""Replay, back-test, shadow and the kill switch, on every store."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from evergreen.adapters.memory.store import MemoryStore
from evergreen.adapters.policy_file import parse_policy
from evergreen.contracts.actions import ActionKind
from evergreen.core.errors import InvalidRequest
from evergreen.core.rules import Policy
from evergreen.core.thresholds import moved, thresholds_of
from evergreen.environment import CHECKOUT
from evergreen.services.backtest import Backtest
from evergreen.services.explain import Verify
from evergreen.services.pause import TurnSwitch
from evergreen.services.replay_decisions import ReplayDecisions
from evergreen.services.shadow_policy import ShadowPolicy
from tests.support.events import MODEL, NOON, event
from tests.support.intake_bench import CATALOGUE, POLICY, Bench

TEXT = (CHECKOUT / "policies" / "default.yaml").read_text(encoding="utf-8")

STRANGE = f'["2025-08-06T03:00:00+00:00","data_drift_detected","retrain","{MODEL}","{UUID(int=0)}"]'


def changed(old: str, new: str) -> Policy:
    assert old in TEXT
    return parse_policy(TEXT.replace(old, new))


def a_day(bench: Bench, hours: int = 24) -> None:
    """Drift of every severity, a deployment, overload; one event an hour."""
    said: list[tuple[str, dict[str, Any]]] = [
        ("data_drift_detected", {"severity": "low"}),
        ("data_drift_detected", {"severity": "medium"}),
        ("system_overload", {}),
        ("data_drift_detected", {"drift_score": 0.7}),
        ("model_training_completed", {"cost_seconds": 10.0}),
        ("model_performance_degraded", {"performance_drop": 0.5}),
    ]
    for hour in range(hours):
        name, changes = said[hour % len(said)]
        bench.send(event(name, at=bench.clock.now(), **changes))
        bench.clock.advance(timedelta(hours=1))
        bench.sweep.ring()


# Replay


def test_everything_is_decided_again_byte_for_byte(bench: Bench) -> None:
    a_day(bench)

    replayed = ReplayDecisions(bench.store).run()

    assert replayed.difference is None
    assert replayed.decisions >= 24


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"drift_score": 0.9}, "answers was", id="another-payload"),
        pytest.param({"drift_score": "x"}, "cannot be read back: InvalidEvent", id="a-payload-that-is-none"),
    ],
)
def test_a_changed_event_is_found(change: dict[str, Any], said: str) -> None:
    bench = Bench(MemoryStore())
    a_day(bench, 4)
    key, row = next((key, row) for key, row in bench.store.tables.events.items() if row.event.data.get("drift_score") == 0.7)  # type: ignore[attr-defined]
    bench.store.tables.events[key] = replace(row, event=row.event.model_copy(update={"data": {**row.event.data, **change}}))  # type: ignore[attr-defined]

    difference = ReplayDecisions(bench.store).run().difference

    assert difference is not None
    assert said in difference
    assert row.event.id in difference


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param('"severity":{"final":"high"', '"severity":{"final":"low"', 'severity was {"final": "low"', id="another-severity"),
        pytest.param('"corrective":[]', f'"corrective":[{STRANGE}]', "state.corrective", id="an-action-nobody-made"),
        pytest.param('"champion":null', '"champion":["video_performance@9","2025-08-01T00:00:00+00:00","promote"]', "state.champion", id="another-champion"),
    ],
)  # fmt: skip
def test_a_changed_decision_is_found(old: str, new: str, said: str) -> None:
    bench = Bench(MemoryStore())
    bench.send(event("system_overload"), event("data_drift_detected", severity="low"), event("data_drift_detected", drift_score=0.7))
    tables = bench.store.tables  # type: ignore[attr-defined]
    row = tables.decisions[MODEL, 2]
    assert old in row.body
    tables.decisions[MODEL, 2] = replace(row, body=row.body.replace(old, new))

    replayed = ReplayDecisions(bench.store).run()

    assert (replayed.model, replayed.seq) == (MODEL, 2)
    assert said in (replayed.difference or "")


def test_a_changed_policy_is_found() -> None:
    bench = Bench(MemoryStore())
    a_day(bench, 2)
    tables = bench.store.tables  # type: ignore[attr-defined]
    tables.policies[POLICY.hash] = {**tables.policies[POLICY.hash], "min_new_rows": 5}

    assert "is not on record as it was" in (ReplayDecisions(bench.store).run().difference or "")


def test_each_decision_is_replayed_with_the_policy_of_its_time(bench: Bench) -> None:
    a_day(bench, 6)
    bench.source.policy = changed("{field: drift_score, above: 0.6}", "{field: drift_score, above: 0.1}")
    bench.policy.refresh()
    a_day(bench, 6)

    assert ReplayDecisions(bench.store).run().difference is None


# Back-test


def test_the_same_policy_differs_in_nothing(bench: Bench) -> None:
    a_day(bench, 4)

    found = Backtest(bench.store, CATALOGUE).run(POLICY)

    assert (found.differing, found.missed, found.gained) == (0, [], 0)
    assert all(was == would for was, would in found.actions.values())
    assert all(was == would for was, would in found.stopped.values())


def test_a_deafer_policy_misses_incidents_and_says_which(bench: Bench) -> None:
    a_day(bench)
    deaf = parse_policy(TEXT.replace("high: {action: retrain, priority: high, reason: data_drift_high}", "high: {action: monitor}").replace(
        "medium: {action: retrain, when: maintenance_window, reason: data_drift_medium}", "medium: {action: monitor}"
    ).replace("- {action: retrain, priority: high, reason: performance_degraded, note: no_better_target}", "- {action: monitor}"))  # fmt: skip

    found = Backtest(bench.store, CATALOGUE).run(deaf)

    assert found.actions["retrain"][0] > 0
    assert found.actions["retrain"][1] == 0
    assert found.missed
    assert {one["severity"] for one in found.missed} <= {"high", "critical"}
    assert found.training_seconds == (10.0 * found.actions["retrain"][0], 0.0)
    assert found.examples[0]["recorded"] != found.examples[0]["candidate"]


def test_a_more_eager_policy_reacts_sooner(bench: Bench) -> None:
    a_day(bench)
    eager = changed("medium: {action: retrain, when: maintenance_window, reason: data_drift_medium}", "medium: {action: retrain, reason: data_drift_medium}")

    was, would = Backtest(bench.store, CATALOGUE).run(eager).minutes_to_react

    assert was is not None
    assert would is not None
    assert would < was


def test_a_candidate_without_limits_is_seen_to_do_more(bench: Bench) -> None:
    for _ in range(9):
        bench.send(event("data_drift_detected", drift_score=0.7, at=bench.clock.now()))
        bench.carry_out_due()
        bench.clock.advance(timedelta(minutes=61))

    found = Backtest(bench.store, CATALOGUE).run(changed("daily_limits: {retrain: 6, rollback: 3}", "daily_limits: {}"))

    assert found.actions["retrain"][0] <= 6 < found.actions["retrain"][1]
    assert found.stopped["blast_radius"][0] > 0


def test_two_policies_side_by_side_differ_by_what_was_moved_alone(bench: Bench) -> None:
    a_day(bench)
    deaf = moved(POLICY, [replace(one, above=9.0) for one in thresholds_of(POLICY) if one.field == "drift_score"], {})

    recorded, found = Backtest(bench.store, CATALOGUE).beside(POLICY, deaf, NOON - timedelta(days=30), 1000)

    assert recorded.differing > 0  # nobody carried the recorded actions out; the model of the work does
    assert [was for was, _ in found.actions.values()] == [would for _, would in recorded.actions.values()]
    assert found.differing > 0
    assert found.examples[0]["type"] == "data_drift_detected"
    _, same = Backtest(bench.store, CATALOGUE).beside(POLICY, POLICY, NOON - timedelta(days=30), 1000)
    assert same.differing == 0


def test_side_by_side_looks_at_so_many_decisions_and_no_more(bench: Bench) -> None:
    a_day(bench, 6)

    with pytest.raises(InvalidRequest, match="look at fewer days"):
        Backtest(bench.store, CATALOGUE).beside(POLICY, POLICY, NOON - timedelta(days=30), 3)


# Shadow


def test_a_shadow_policy_decides_and_does_nothing(bench: Bench) -> None:
    shadow = ShadowPolicy(bench.store)
    shadow.start(changed("{field: drift_score, above: 0.6}", "{field: drift_score, above: 0.1}"))
    shadow.refresh()
    bench.take_in._shadow = shadow.current

    bench.send(event("data_drift_detected", drift_score=0.2), event("data_drift_detected", drift_score=0.05))

    assert bench.requested() == []
    report = shadow.report(10)
    assert (report["decisions"], report["agreeing"]) == (2, 1)
    assert report["differing"][0]["answers"] == ["retrain accepted", "alert accepted"]

    shadow.stop()
    shadow.refresh()
    bench.send(event("data_drift_detected", drift_score=0.2))
    assert shadow.report(10)["shadow"] is None
    with bench.store.transaction() as tx:
        assert tx.shadows.agreement(report["shadow"]) == (2, 1)


def test_a_shadow_policy_that_breaks_harms_nobody(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    candidate = changed("min_new_rows: 100", "min_new_rows: 7")
    monkeypatch.setattr(Policy, "rule", lambda self, name: 1 / 0 if self.min_new_rows == 7 else self.rules[name])
    bench.take_in._shadow = lambda: candidate

    taken = bench.send(event("data_drift_detected", drift_score=0.7))

    assert (taken.new, taken.poison) == (1, {})
    assert [one["kind"] for one in bench.requested()] == ["retrain"]


# The switch


def test_the_switch_is_turned_once_and_somebody_is_told(bench: Bench) -> None:
    switch = TurnSwitch(bench.store, bench.clock)

    assert [switch.run(paused=True, who="me", reason="night"), switch.run(paused=True, who="you", reason="again")] == [True, False]
    bench.send(event("data_drift_detected", drift_score=0.7))
    assert [switch.run(paused=False, who="me", reason="day"), switch.run(paused=False, who="me", reason="day")] == [True, False]

    (row,) = bench.decisions()
    assert row.outcome == "paused"
    assert json.loads(row.body)["state"]["paused"] is True
    with bench.store.transaction() as tx:
        told = [alert for alert in tx.alerts.unsettled(10) if alert.grouping == "policy|pause"]
    assert [(alert.title, alert.resolves) for alert in told] == [("[high] Policy paused", False), ("[resolved] policy: pause", True)]


# Columns, odd values, and what waits


@pytest.mark.parametrize(
    ("name", "value"),
    [("severity", "low"), ("rule", "another"), ("outcome", "ignored"), ("event_type", "model_deployed"), ("policy_hash", "0" * 64), ("event_id", "x")],
)
def test_a_changed_column_is_found_although_the_body_is_whole(name: str, value: str) -> None:
    bench = Bench(MemoryStore())
    bench.send(event("data_drift_detected", drift_score=0.7))
    tables = bench.store.tables  # type: ignore[attr-defined]
    tables.decisions[MODEL, 1] = replace(tables.decisions[MODEL, 1], **{name: value})

    assert f"column {name}" in (Verify(bench.store).run()[1] or "")


def test_a_changed_event_is_found_although_the_decision_would_be_the_same() -> None:
    bench = Bench(MemoryStore())
    bench.send(event("data_drift_detected", drift_score=0.3))
    tables = bench.store.tables  # type: ignore[attr-defined]
    ((key, row),) = tables.events.items()
    tables.events[key] = replace(row, event=row.event.model_copy(update={"data": {**row.event.data, "drift_score": 0.4}}))

    assert "event was" in (ReplayDecisions(bench.store).run().difference or "")


@pytest.mark.parametrize("policy", [{"version": 1}, {"nothing": "of the kind"}])
def test_a_policy_nobody_can_read_any_more_is_named(policy: dict[str, Any]) -> None:
    bench = Bench(MemoryStore())
    bench.send(event("data_drift_detected", drift_score=0.3))
    tables = bench.store.tables  # type: ignore[attr-defined]
    tables.policies[POLICY.hash] = policy

    assert f"decision {MODEL}/1" in (ReplayDecisions(bench.store).run().difference or "")


def test_odd_numbers_and_texts_come_back_as_they_were(bench: Bench) -> None:
    bench.send(
        event("model_performance_degraded", performance_drop=1e-7, current_performance=1e22, baseline_performance=-0.0, n=2**60),
        event("data_drift_detected", drift_score=-0.0, at=datetime(2025, 8, 6, 12, 0, tzinfo=timezone(timedelta(hours=9)))),
        event("system_overload", service_name="서빙", measured=float(2**53), bound=1.0),
        event("model_training_completed", metrics={"mae": 1e16, "auc": 5e-324}),
    )

    assert ReplayDecisions(bench.store).run().difference is None


def test_a_hurried_retrain_ends_in_a_back_test_too(bench: Bench) -> None:
    """A medium drift schedules one, a high one hurries it; hours later there is another, and it is one of its own."""
    for changes in ({"severity": "medium"}, {"drift_score": 0.7}):
        bench.send(event("data_drift_detected", at=bench.clock.now(), **changes))
        bench.carry_out_due()
        bench.clock.advance(timedelta(minutes=10))
    bench.clock.advance(timedelta(hours=3))
    bench.send(event("data_drift_detected", drift_score=0.7, at=bench.clock.now()))

    found = Backtest(bench.store, CATALOGUE).run(POLICY)

    assert found.actions["retrain"] == (2, 2)
    assert found.differing == 0


def test_now_and_in_the_window_are_not_the_same(bench: Bench) -> None:
    shadow = ShadowPolicy(bench.store)
    shadow.start(
        changed("medium: {action: retrain, when: maintenance_window, reason: data_drift_medium}", "medium: {action: retrain, reason: data_drift_medium}")
    )
    shadow.refresh()
    bench.take_in._shadow = shadow.current

    bench.send(event("data_drift_detected", severity="medium"))

    assert (shadow.report(5)["decisions"], shadow.report(5)["agreeing"]) == (1, 0)


def test_what_was_put_off_cannot_be_claimed_before_it_is_decided_again(bench: Bench) -> None:
    bench.send(event("data_drift_detected", severity="medium"))
    bench.clock.advance(timedelta(hours=16))

    with bench.store.transaction() as tx:
        assert tx.actions.claim(ActionKind.RETRAIN, "early", bench.clock.now(), timedelta(minutes=1)) is None
        assert tx.work.count(bench.clock.now()).due == 1
    assert bench.sweep.ring() == 1
    assert bench.claim(ActionKind.RETRAIN).action.reason == "data_drift_medium"


def test_what_is_moved_to_an_earlier_time_counts_from_then(bench: Bench) -> None:
    """05:10 in Seoul: put off until tomorrow's window; 05:30: a higher one takes it to the opening at 06:00."""
    bench.clock.at = datetime(2025, 8, 5, 20, 10, tzinfo=UTC)
    bench.send(event("data_drift_detected", severity="medium", at=bench.clock.now()))
    bench.clock.advance(timedelta(minutes=20))
    bench.send(event("data_drift_detected", drift_score=0.7, at=bench.clock.now()))

    with bench.store.transaction() as tx:
        (row,) = [row for row in map(tx.actions.get, tx.history.caused_by(bench.decisions()[0].event_id)) if row and row.action.kind is ActionKind.RETRAIN]
    assert row.action.due_at == row.accepted_at == datetime(2025, 8, 5, 21, 0, tzinfo=UTC)
