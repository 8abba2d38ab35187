"""The policy over many events: whatever happens between them, rows alone decide; deciding again says the same; nothing runs away."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from evergreen.adapters.memory.store import MemoryStore
from evergreen.contracts.actions import DAG_KINDS, ActionKind, ActionStatus
from evergreen.contracts.envelope import Event
from evergreen.core.decision import Outcome
from evergreen.core.policy import decide
from evergreen.core.proposal import CORRECTIVE
from evergreen.core.snapshot import restored
from evergreen.ports.policy_records import Pause
from evergreen.services.carry_out import CarryOut, give_up
from evergreen.services.replay_decisions import ReplayDecisions
from tests.support.events import MODEL, NOON, event
from tests.support.intake_bench import POLICY, Bench

DEGRADED = "model_performance_degraded"
VERSIONS = st.sampled_from([f"{MODEL}@{number}" for number in (1, 2, 3)])
SEVERITIES = st.sampled_from(["low", "medium", "high", "critical"])
SAID = st.one_of(
    st.tuples(st.just("data_processed"), st.fixed_dictionaries({"rows": st.integers(0, 150), "batch_id": st.sampled_from("abc")})),
    st.tuples(st.just("data_drift_detected"), st.fixed_dictionaries({"drift_score": st.floats(0, 1), "severity": SEVERITIES, "model_version": VERSIONS})),
    st.tuples(
        st.just(DEGRADED),
        st.fixed_dictionaries(
            {
                "performance_drop": st.floats(0, 0.3),
                "rollback_helps": st.booleans(),
                "rollback_target": st.one_of(st.none(), VERSIONS),
                "model_version": VERSIONS,
                "action_required": st.sampled_from(["NONE", "RETRAIN", "ROLLBACK"]),
            }
        ),
    ),
    st.tuples(st.just("model_evaluation_completed"), st.fixed_dictionaries({"approved": st.booleans(), "model_version": VERSIONS})),
    st.tuples(st.just("model_training_completed"), st.fixed_dictionaries({"model_version": VERSIONS})),
    st.tuples(st.just("model_deployed"), st.fixed_dictionaries({"model_version": VERSIONS, "kind": st.sampled_from(["promote", "rollback", "revert"])})),
    st.tuples(
        st.just("action_failed"),
        st.fixed_dictionaries({"model": st.sampled_from([MODEL, "-", "nobody"]), "kind": st.sampled_from(["retrain", "ingest"]), "target": st.just(MODEL)}),
    ),
    st.tuples(st.just("action_completed"), st.fixed_dictionaries({"model": st.just(MODEL), "kind": st.just("retrain"), "target": st.just(MODEL)})),
    st.tuples(st.just("system_overload"), st.fixed_dictionaries({"severity": SEVERITIES, "service_name": st.sampled_from(["serving", "other"])})),
    st.tuples(st.just("system_load_low"), st.fixed_dictionaries({"service_name": st.sampled_from(["serving", "other"])})),
    st.tuples(st.just("service_health_check_failed"), st.fixed_dictionaries({"severity": SEVERITIES, "model_version": st.one_of(st.none(), VERSIONS)})),
)


def said(one: tuple[str, dict[str, Any]], number: int, at: datetime) -> Event:
    return event(one[0], event_id=f"e{number}", at=at, **one[1])


@settings(deadline=None, max_examples=80)
@given(happened=st.lists(SAID, min_size=1, max_size=14), size=st.integers(1, 14), minutes=st.integers(0, 400), paused=st.booleans())
def test_batches_of_any_size_decide_as_one_by_one_and_again_the_same(
    happened: list[tuple[str, dict[str, Any]]], size: int, minutes: int, *, paused: bool
) -> None:
    events = [said(one, number, NOON + timedelta(seconds=number)) for number, one in enumerate(happened)]
    together, alone = Bench(MemoryStore()), Bench(MemoryStore())
    for bench in (together, alone):
        bench.store.tables.not_stable = {MODEL: (f"{MODEL}@2", f"{MODEL}@3")}  # type: ignore[attr-defined]
        turn(bench, paused=paused)

    for start in range(0, len(events), size):
        together.send(*events[start : start + size])
        for one in events[start : start + size]:
            alone.send(one)
        for bench in (together, alone):
            bench.clock.advance(timedelta(minutes=minutes))
            bench.sweep.ring()

    for model in (MODEL, "video_performance_us", "-"):
        assert [row.body for row in together.decisions(model)] == [row.body for row in alone.decisions(model)]
    assert ReplayDecisions(together.store).run().difference is None


def test_what_a_decision_looked_at_is_enough_to_decide_again(bench: Bench) -> None:
    """On Postgres too: numbers, times and texts come back from the rows as they went in."""
    bench.send(
        event("data_drift_detected", severity="medium", drift_score=0.123456789012345),
        event(DEGRADED, performance_drop=0.1000000001, at=NOON - timedelta(hours=1)),
        event("system_overload", service_name="오버로드"),
        event("model_deployed"),
        event("data_processed", dataset="videos.US"),
        event("data_drift_detected", drift_score=0.9),
    )
    bench.clock.advance(timedelta(days=1))
    bench.sweep.ring()

    replayed = ReplayDecisions(bench.store).run()

    assert replayed.difference is None
    assert replayed.decisions == 6


def test_a_replay_of_a_part_needs_nothing_of_the_rest(bench: Bench) -> None:
    for _ in range(3):
        bench.send(event("model_deployed", at=bench.clock.now()), event("system_overload", at=bench.clock.now()))
        bench.clock.advance(timedelta(minutes=15))

    part = ReplayDecisions(bench.store).run(since=NOON + timedelta(minutes=10), until=NOON + timedelta(minutes=20))

    assert (part.decisions, part.difference) == (2, None)


def test_a_snapshot_restored_is_the_snapshot(bench: Bench) -> None:
    bench.send(event("data_drift_detected", severity="medium"), event("data_drift_detected", drift_score=0.7), event(DEGRADED, performance_drop=0.12))

    for row, about in recorded(bench):
        body = json.loads(row.body)
        again = decide(about, restored(body["state"], about.type), datetime.fromisoformat(body["decided_at"]), POLICY)
        assert again.body().decode() == row.body


def recorded(bench: Bench) -> list[tuple[Any, Event]]:
    with bench.store.transaction() as tx:
        return [(row, Event.model_validate(said)) for row, said in tx.decisions.recorded()]


def turn(bench: Bench, *, paused: bool) -> None:
    with bench.store.transaction() as tx:
        tx.pauses.turn(Pause(paused, "tester", "test", bench.clock.now()))


# The kill switch on the work list


def test_a_pause_holds_what_waits_and_a_resume_lets_it_go(bench: Bench) -> None:
    bench.send(event("model_evaluation_completed"), event("data_processed"))
    turn(bench, paused=True)

    assert {row.action.kind for row in bench.due()} == {ActionKind.DRIFT_CHECK}
    with bench.store.transaction() as tx:
        assert tx.actions.claim(ActionKind.PROMOTE, "run", bench.clock.now(), timedelta(minutes=1)) is None
        assert tx.work.count(bench.clock.now()).due == len(bench.due()) == 2

    turn(bench, paused=False)

    assert bench.claim(ActionKind.PROMOTE).status is ActionStatus.CLAIMED


def test_what_a_person_asks_for_goes_on_in_a_pause(bench: Bench) -> None:
    turn(bench, paused=True)
    CarryOut(bench.store, bench.clock).request(ActionKind.ROLLBACK, model=MODEL, target=MODEL, reason="manual", who="me", key="k")

    assert bench.claim(ActionKind.ROLLBACK).action.params["requested_by"] == "me"


def test_deferred_at_night_cancelled_by_what_came_before_the_morning(bench: Bench) -> None:
    bench.clock.at = NOON + timedelta(hours=11)  # 23:00 in Seoul
    bench.send(event("data_drift_detected", drift_score=0.7, at=bench.clock.now()))
    bench.clock.advance(timedelta(hours=2))
    bench.send(event("model_deployed", at=bench.clock.now()))
    bench.clock.advance(timedelta(hours=2))

    bench.sweep.ring()

    assert bench.requested() == []
    last = bench.decisions()[-1]
    assert (last.rule, last.outcome) == ("timer_due.release", "suppressed")
    with bench.store.transaction() as tx:
        assert [
            row.status for row in map(tx.actions.get, tx.history.caused_by(first_id(bench))) if row is not None and row.action.kind is ActionKind.RETRAIN
        ] == [ActionStatus.CANCELLED]


def first_id(bench: Bench) -> str:
    return bench.decisions()[0].event_id


def test_deferred_at_night_runs_in_the_window(bench: Bench) -> None:
    bench.clock.at = NOON + timedelta(hours=11)
    bench.send(event("data_drift_detected", drift_score=0.7, at=bench.clock.now()))
    assert bench.requested() == []

    bench.clock.advance(timedelta(hours=4))
    bench.sweep.ring()

    assert [one["kind"] for one in bench.requested()] == ["retrain"]
    assert bench.claim(ActionKind.RETRAIN).action.reason == "data_drift_high"


class Loop(RuleBasedStateMachine):
    """Events, time, work that succeeds, fails or is left lying, pauses and restarts, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        self.store.tables.not_stable = {MODEL: (f"{MODEL}@3",)}
        self.bench = Bench(self.store)
        self.number = 0

    @rule(one=SAID)
    def something_happens(self, one: tuple[str, dict[str, Any]]) -> None:
        self.number += 1
        self.bench.send(said(one, self.number, self.bench.clock.now()))

    @rule(minutes=st.sampled_from([1, 6, 31, 61, 600, 1500]))
    def time_passes(self, minutes: int) -> None:
        self.bench.clock.advance(timedelta(minutes=minutes))
        self.bench.tick.run()
        self.bench.sweep.ring()

    @rule()
    def the_worker_is_restarted(self) -> None:
        offset = self.bench.offset
        self.bench = Bench(self.store, self.bench.clock)
        self.bench.offset = offset

    @rule(paused=st.booleans())
    def somebody_turns_the_switch(self, *, paused: bool) -> None:
        turn(self.bench, paused=paused)

    @rule(kind=st.sampled_from([*DAG_KINDS, ActionKind.SCALE_UP]), fails=st.booleans())
    def a_run_carries_out(self, kind: ActionKind, *, fails: bool) -> None:
        now = self.bench.clock.now()
        with self.store.transaction() as tx:
            claimed = tx.actions.claim(kind, f"run{self.number}", now, timedelta(minutes=1))
            if claimed is None:
                return
            if fails:
                give_up(tx, claimed.action, claimed.lease, 3, "boom", now)
            else:
                tx.actions.finish(claimed.lease, ActionStatus.SUCCEEDED, result={})

    @invariant()
    def limits_hold(self) -> None:
        """At most six retrains and three rollbacks within any day, whatever was said."""
        for kind, limit in ((ActionKind.RETRAIN, 6), (ActionKind.ROLLBACK, 3)):
            times = sorted(
                one.accepted_at
                for one in self.store.tables.actions.values()
                if one.action.kind is kind and one.action.model == MODEL and one.status not in (ActionStatus.PENDING, ActionStatus.CANCELLED)
            )
            assert all(later - earlier >= timedelta(days=1) for earlier, later in zip(times, times[limit:], strict=False))

    @invariant()
    def nothing_that_changes_something_is_claimed_in_a_pause(self) -> None:
        if self.store.tables.paused:
            assert not [row for row in self.bench.due() if row.action.kind in CORRECTIVE | {ActionKind.PROMOTE}]

    def teardown(self) -> None:
        """Every decision can be made again; each action has a decision, and each decision its reasons."""
        assert ReplayDecisions(self.store).run().difference is None
        made: set[UUID] = set()
        for row, _ in recorded(self.bench):
            for answer in json.loads(row.body)["answers"]:
                made |= {UUID(answer["action_id"])} if "action_id" in answer else set()
                if answer["outcome"] in (Outcome.SUPPRESSED, Outcome.PAUSED, Outcome.DEFERRED, Outcome.STALE):
                    assert [guard for guard in answer["guards"] if not guard["passed"]]
        assert set(self.store.tables.actions) <= made


TestLoop = Loop.TestCase
TestLoop.settings = settings(deadline=None, max_examples=30, stateful_step_count=25)


@settings(deadline=None, max_examples=40)
@given(
    flood=st.integers(0, 30), kinds=st.lists(st.sampled_from(["data_drift_detected", DEGRADED, "data_quality_issue"]), min_size=1), minutes=st.integers(0, 90)
)
def test_a_flood_of_low_events_never_disarms_a_critical_rollback(flood: int, kinds: list[str], minutes: int) -> None:
    bench = Bench(MemoryStore())
    mild: dict[str, dict[str, Any]] = {DEGRADED: {"performance_drop": 0.01}}
    low = [event(name, severity="low", **mild.get(name, {})) for name in (kinds[number % len(kinds)] for number in range(flood))]
    if low:
        bench.send(*low)
    bench.clock.advance(timedelta(minutes=minutes))

    bench.send(event(DEGRADED, performance_drop=0.5, rollback_target=f"{MODEL}@1", rollback_helps=True, at=bench.clock.now()))

    assert [one["kind"] for one in bench.requested()] == ["rollback"]


@settings(deadline=None, max_examples=40)
@given(happened=st.lists(SAID, max_size=10), severity=SEVERITIES)
def test_cooldowns_are_per_model(happened: list[tuple[str, dict[str, Any]]], severity: str) -> None:
    """Whatever happened to one model, another decides as if it had not."""
    other = "video_performance_us"
    busy, fresh = Bench(MemoryStore()), Bench(MemoryStore())
    for number, one in enumerate(happened):
        if one[0] != "data_processed":  # both are fed by that dataset
            busy.send(said(one, number, NOON))
    about = event("data_drift_detected", event_id="x", severity=severity, model_version=f"{other}@1", subject=other)

    busy.send(about)
    fresh.send(about)

    assert [told(row.body) for row in busy.decisions(other)] == [told(row.body) for row in fresh.decisions(other)]


def told(body: str) -> dict[str, Any]:
    return {name: value for name, value in json.loads(body).items() if name != "state"}
