"""The default policy, cell by cell, and what must hold for every event."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.adapters.policy_file import load_policy
from evergreen.contracts.actions import ActionKind
from evergreen.contracts.topics import payload_of
from evergreen.core.decision import Decision, Outcome
from evergreen.core.policy import decide, severity_of
from evergreen.core.severity import Severity
from evergreen.core.state import Accepted, OpenAction, State
from evergreen.environment import CHECKOUT
from tests.support.events import MODEL, NOON, WEEK, event, features

POLICY = load_policy(CHECKOUT / "policies" / "default.yaml")
KNOWN = State(model=MODEL, datasets=("videos.KR",))
WORDS = st.sampled_from(["low", "medium", "high", "critical", "HIGH", "Low", "?", ""])


def asked(event_type: str, state: State = KNOWN, now: datetime = NOON, **changes: Any) -> Decision:
    return decide(event(event_type, **changes), state, now, POLICY)


def accepted(decision: Decision) -> dict[ActionKind, Any]:
    return {answer.kind: answer.action for answer in decision.answers if answer.outcome is Outcome.ACCEPTED}


DRIFT = "data_drift_detected"
DEGRADED = "model_performance_degraded"
TARGET: dict[str, Any] = {"rollback_target": f"{MODEL}@1", "rollback_helps": True}


@pytest.mark.parametrize(
    ("changes", "severity"),
    [
        pytest.param({"drift_score": 0.6}, "low", id="score-at-0.6-raises-nothing"),
        pytest.param({"drift_score": 0.6000001}, "high", id="score-above-0.6"),
        pytest.param({"drift_score": 0.8}, "high", id="score-at-0.8-stays-high"),
        pytest.param({"drift_score": 0.8000001}, "critical", id="score-above-0.8"),
        pytest.param({"affected_features": features(3)}, "low", id="three-features"),
        pytest.param({"affected_features": features(4)}, "high", id="four-features"),
        pytest.param({"affected_features": features(5)}, "high", id="five-features-stay-high"),
        pytest.param({"affected_features": features(6)}, "critical", id="six-features"),
        pytest.param({"severity": "critical", "drift_score": 0.7}, "critical", id="evidence-never-lowers"),
        pytest.param({"severity": None}, "medium", id="null-is-medium"),
        pytest.param({"severity": "MeDiUm"}, "medium", id="case-insensitive"),
    ],
)
def test_severity_of_drift(changes: dict[str, Any], severity: str) -> None:
    assert asked(DRIFT, **changes).severity == severity


@pytest.mark.parametrize(
    ("drop", "severity"),
    [(0.0, "medium"), (0.10, "medium"), (0.1000001, "high"), (0.15, "high"), (0.1500001, "critical"), (3.0, "critical")],
)
def test_severity_of_a_performance_drop(drop: float, severity: str) -> None:
    assert asked(DEGRADED, performance_drop=drop).severity == severity


def test_the_path_says_what_raised_it() -> None:
    decision = asked(DRIFT, drift_score=0.9, affected_features=features(4))

    assert decision.severity_path == ("event: low", "drift_score 0.9 > 0.6: high", "drift_score 0.9 > 0.8: critical")


@given(word=WORDS, score=st.floats(0, 1), count=st.integers(0, 9))
def test_evidence_never_lowers_a_severity(word: str, score: float, count: int) -> None:
    payload = payload_of(event(DRIFT, severity=word, drift_score=score, affected_features=features(count)))

    assert severity_of(DRIFT, payload, POLICY)[0] >= Severity.parse(word)


@given(lower=st.floats(0, 1), higher=st.floats(0, 1), word=WORDS)
def test_more_evidence_is_never_less_severe(lower: float, higher: float, word: str) -> None:
    lower, higher = sorted((lower, higher))
    severities = [severity_of(DRIFT, payload_of(event(DRIFT, severity=word, drift_score=score)), POLICY)[0] for score in (lower, higher)]

    assert severities[0] <= severities[1]


@pytest.mark.parametrize(
    ("event_type", "changes", "kinds"),
    [
        pytest.param("data_ingested", {}, {"ingest"}, id="a-batch-is-ingested"),
        pytest.param("data_processed", {}, {"drift_check"}, id="processed-data-is-checked"),
        pytest.param("data_quality_issue", {"severity": "low"}, {"monitor"}, id="a-small-quality-issue"),
        pytest.param("data_quality_issue", {"severity": "critical"}, {"alert"}, id="a-quality-issue-never-retrains"),
        pytest.param(DRIFT, {}, {"monitor", "alert"}, id="low-drift"),
        pytest.param(DRIFT, {"severity": "medium"}, {"retrain", "alert"}, id="medium-drift"),
        pytest.param(DRIFT, {"drift_score": 0.7}, {"retrain", "alert"}, id="high-drift"),
        pytest.param(DRIFT, {"drift_score": 0.9}, {"retrain", "alert"}, id="critical-drift"),
        pytest.param("model_training_started", {}, set(), id="training-started"),
        pytest.param("model_training_completed", {}, {"evaluate"}, id="a-candidate-is-evaluated"),
        pytest.param("model_evaluation_completed", {}, {"promote"}, id="an-approved-one-is-promoted"),
        pytest.param("model_evaluation_completed", {"approved": False}, {"alert"}, id="a-refused-one-is-an-alert"),
        pytest.param("model_deployed", {}, {"monitor"}, id="deployed"),
        pytest.param(DEGRADED, {"severity": "low"}, {"monitor", "alert"}, id="slightly-degraded"),
        pytest.param(DEGRADED, {}, {"retrain", "alert"}, id="degraded"),
        pytest.param(DEGRADED, {"performance_drop": 0.12, **TARGET}, {"rollback", "alert"}, id="badly-degraded-with-a-target"),
        pytest.param(DEGRADED, {"performance_drop": 0.5, **TARGET}, {"rollback", "alert"}, id="critically-degraded-with-a-target"),
        pytest.param(DEGRADED, {"performance_drop": 0.5}, {"retrain", "alert"}, id="without-a-target"),
        pytest.param(DEGRADED, {"performance_drop": 0.5, **TARGET, "rollback_helps": False}, {"retrain", "alert"}, id="with-a-target-that-does-not-help"),
        pytest.param(DEGRADED, {"severity": "low", "action_required": "RETRAIN"}, {"retrain", "alert"}, id="a-stronger-wish-is-honoured"),
        pytest.param(DEGRADED, {"severity": "low", "action_required": "ROLLBACK", **TARGET}, {"rollback", "alert"}, id="the-strongest-wish-is-honoured"),
        pytest.param(DEGRADED, {"performance_drop": 0.5, "action_required": "RETRAIN", **TARGET}, {"rollback", "alert"}, id="a-weaker-wish-is-not"),
        pytest.param("action_failed", {}, {"alert"}, id="a-failed-action"),
        pytest.param("action_completed", {}, set(), id="a-completed-action"),
        pytest.param("system_alert", {}, set(), id="our-own-alert"),
        pytest.param("system_alert", {"source": "/alertmanager"}, {"alert"}, id="somebody-elses-alert"),
        pytest.param("service_recovered", {}, set(), id="a-recovery"),
        pytest.param("system_overload", {"severity": "low"}, {"monitor"}, id="a-little-overload-is-watched"),
        *(pytest.param("system_overload", {"severity": word}, {"scale_up"}, id=f"{word}-overload") for word in ("medium", "high", "critical")),
        pytest.param("prediction_latency_high", {"severity": "low"}, {"monitor"}, id="a-little-latency-is-watched"),
        *(pytest.param("prediction_latency_high", {"severity": word}, {"scale_up"}, id=f"{word}-latency") for word in ("medium", "high", "critical")),
        *(pytest.param("system_load_low", {"severity": word}, {"scale_down"}, id=f"{word}-low-load") for word in ("low", "medium", "high", "critical")),
        *(pytest.param("service_health_check_failed", {"severity": word}, {"alert"}, id=f"{word}-health") for word in ("low", "medium", "high", "critical")),
        pytest.param("policy_changed", {}, set(), id="a-changed-policy"),
        pytest.param("action_requested", {}, set(), id="our-own-doorbell"),
        pytest.param("timer_due", {}, {"performance_check"}, id="the-daily-check"),
        pytest.param("timer_due", {"timer": "maintenance", "model": "-"}, {"maintenance"}, id="the-daily-maintenance"),
        pytest.param("timer_due", {"timer": "more_data"}, {"retrain"}, id="more-data"),
        pytest.param("timer_due", {"timer": "scheduled"}, set(), id="a-scheduled-action-that-waits-no-longer"),
    ],
)
def test_each_cell(event_type: str, changes: dict[str, Any], kinds: set[str]) -> None:
    assert {kind.value for kind in accepted(asked(event_type, **changes))} == kinds


def test_medium_drift_waits_for_the_maintenance_window() -> None:
    retrain = accepted(asked(DRIFT, severity="medium"))[ActionKind.RETRAIN]

    assert retrain.due_at == datetime(2025, 8, 6, 18, 0, tzinfo=UTC)  # 03:00 in Seoul
    assert (retrain.reason, retrain.priority, retrain.target) == ("data_drift_medium", "normal", MODEL)


def test_inside_the_window_it_runs_at_once() -> None:
    night = datetime(2025, 8, 6, 19, 30, tzinfo=UTC)  # 04:30 in Seoul

    assert accepted(asked(DRIFT, severity="medium", at=night, now=night))[ActionKind.RETRAIN].due_at == night


def test_high_drift_runs_now_before_others() -> None:
    retrain = accepted(asked(DRIFT, drift_score=0.7))[ActionKind.RETRAIN]

    assert (retrain.due_at, retrain.priority, retrain.reason) == (NOON, "high", "data_drift_high")


def test_a_trace_is_carried_on_or_begun() -> None:
    about = event(DRIFT, drift_score=0.7)
    traced = about.model_copy(update={"extensions": {"traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01"}})

    begun, carried = (accepted(decide(one, KNOWN, NOON, POLICY))[ActionKind.RETRAIN].traceparent for one in (about, traced))

    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", begun)
    assert carried == traced.extensions["traceparent"]


def test_a_missing_target_is_recorded() -> None:
    assert asked(DEGRADED, performance_drop=0.5).notes == ("no_better_target",)


def test_a_rollback_names_both_versions() -> None:
    rollback = accepted(asked(DEGRADED, performance_drop=0.5, **TARGET))[ActionKind.ROLLBACK]

    assert rollback.params == {"from_version": f"{MODEL}@2", "to_version": f"{MODEL}@1"}


def test_an_ingest_carries_the_announcement() -> None:
    ingest = accepted(decide(event("data_ingested", batch_id="b7"), State(), NOON, POLICY))[ActionKind.INGEST]

    assert (ingest.target, ingest.model, ingest.params["batch_id"]) == ("b7", "-", "b7")


def test_a_drift_check_names_dataset_and_window() -> None:
    assert accepted(asked("data_processed"))[ActionKind.DRIFT_CHECK].params == {"dataset": "videos.KR", "windows": [WEEK]}


@pytest.mark.parametrize("event_type", [DRIFT, DEGRADED, "model_training_completed", "model_evaluation_completed", "timer_due"])
def test_an_unknown_model_is_an_alert_and_nothing_else(event_type: str) -> None:
    decision = asked(event_type, State(model="nobody", known=False))

    assert set(accepted(decision)) == {ActionKind.ALERT}
    assert decision.model == "-"
    assert decision.notes == ("unknown_model: nobody",)


# Guards


def test_a_cooldown_holds_the_same_response_back_and_says_until_when() -> None:
    state = KNOWN.with_accepted(Accepted(DRIFT, ActionKind.RETRAIN, MODEL, Severity.HIGH, NOON - timedelta(minutes=59)))

    retrain = asked(DRIFT, state, drift_score=0.7).answers[0]

    assert retrain.outcome is Outcome.SUPPRESSED
    assert retrain.allowed_at == NOON + timedelta(minutes=1)
    assert [result.guard for result in retrain.guards if not result.passed] == ["cooldown"]


def test_a_cooldown_ends_to_the_second() -> None:
    state = KNOWN.with_accepted(Accepted(DRIFT, ActionKind.RETRAIN, MODEL, Severity.HIGH, NOON - timedelta(minutes=60)))

    assert ActionKind.RETRAIN in accepted(asked(DRIFT, state, drift_score=0.7))


def test_cooldowns_are_per_event_type() -> None:
    state = KNOWN.with_accepted(Accepted(DRIFT, ActionKind.RETRAIN, MODEL, Severity.CRITICAL, NOON))

    assert ActionKind.RETRAIN in accepted(asked(DEGRADED, state))


def test_a_scheduled_retrains_cooldown_never_blocks_one_that_runs_now() -> None:
    state = KNOWN.with_accepted(Accepted(DRIFT, ActionKind.RETRAIN, MODEL, Severity.MEDIUM, NOON - timedelta(minutes=1)))

    assert ActionKind.RETRAIN in accepted(asked(DRIFT, state, drift_score=0.7))
    assert ActionKind.RETRAIN not in accepted(asked(DRIFT, state, severity="medium"))


def test_an_equally_strong_action_stays_in_its_cooldown_but_the_alert_goes_out() -> None:
    recent = [Accepted(DRIFT, kind, MODEL, Severity.HIGH, NOON) for kind in (ActionKind.RETRAIN, ActionKind.ALERT)]
    state = State(model=MODEL, accepted=tuple(recent))

    assert set(accepted(asked(DRIFT, state, drift_score=0.9))) == {ActionKind.ALERT}


@given(flood=st.integers(1, 20), minutes=st.integers(0, 4))
def test_a_flood_of_low_events_never_disarms_a_critical_rollback(flood: int, minutes: int) -> None:
    before = NOON - timedelta(minutes=minutes)
    state = KNOWN
    for _ in range(flood):
        for kind in (ActionKind.MONITOR, ActionKind.ALERT, ActionKind.RETRAIN):
            state = state.with_accepted(Accepted(DEGRADED, kind, MODEL, Severity.LOW, before))

    assert set(accepted(asked(DEGRADED, state, performance_drop=0.5, **TARGET))) == {ActionKind.ROLLBACK, ActionKind.ALERT}


@given(kind=st.sampled_from(["data_ingested", "data_processed", "model_training_completed", "model_evaluation_completed"]))
def test_steps_have_no_cooldown_and_never_go_stale(kind: str) -> None:
    first = asked(kind, at=NOON - timedelta(days=30))
    step = next(iter(accepted(first)))
    state = KNOWN.with_accepted(Accepted(kind, step, MODEL, Severity.CRITICAL, NOON))

    assert step in accepted(asked(kind, state, at=NOON - timedelta(days=30)))


def test_a_stale_response_becomes_an_alert_and_a_fresh_check() -> None:
    decision = asked(DRIFT, drift_score=0.9, at=NOON - timedelta(hours=24, seconds=1))

    assert decision.outcome is Outcome.STALE
    assert set(accepted(decision)) == {ActionKind.ALERT, ActionKind.DRIFT_CHECK}
    assert accepted(decision)[ActionKind.DRIFT_CHECK].as_of == NOON


def test_a_day_old_response_is_not_stale_yet() -> None:
    assert ActionKind.RETRAIN in accepted(asked(DRIFT, drift_score=0.9, at=NOON - timedelta(hours=24)))


@pytest.mark.parametrize(("rows", "retrains"), [(0, False), (99, False), (100, True)])
def test_after_a_refusal_a_retrain_waits_for_a_hundred_new_rows(rows: int, *, retrains: bool) -> None:
    state = KNOWN.with_verdict(NOON - timedelta(days=1), approved=False, rows_after=0).with_rows(rows, NOON)

    decision = asked(DRIFT, state, drift_score=0.9)

    assert (ActionKind.RETRAIN in accepted(decision)) is retrains
    if not retrains:
        assert "too_few_new_rows" in decision.answers[0].guards[-1].detail


def test_an_approval_ends_the_waiting() -> None:
    state = KNOWN.with_verdict(NOON, approved=False, rows_after=0).with_verdict(NOON, approved=True, rows_after=0)

    assert ActionKind.RETRAIN in accepted(asked(DRIFT, state, drift_score=0.9))


# Coalescing


def waiting(kind: ActionKind, **changes: Any) -> OpenAction:
    first = accepted(asked("data_processed"))[ActionKind.DRIFT_CHECK]
    facts: dict[str, Any] = {
        **{"id": first.id, "kind": kind, "target": MODEL, "status": "pending", "reason": "r", "severity": Severity.MEDIUM, "priority": "normal"},
        **{"due_at": NOON, "as_of": NOON - timedelta(days=1), "event_type": DRIFT, "params": {}},
    }
    return OpenAction(**{**facts, **changes})


def test_a_waiting_drift_check_takes_the_window_in() -> None:
    earlier = {"first_day": "2025-07-23", "last_day": "2025-07-29"}
    state = KNOWN.with_open(waiting(ActionKind.DRIFT_CHECK, params={"dataset": "videos.KR", "windows": [earlier]}))

    absorption = asked("data_processed", state).answers[0].absorption

    assert absorption is not None
    assert absorption.params["windows"] == [earlier, WEEK]
    assert absorption.as_of == NOON


def test_a_running_drift_check_does_not() -> None:
    state = KNOWN.with_open(waiting(ActionKind.DRIFT_CHECK, status="running", params={"dataset": "videos.KR", "windows": []}))

    assert ActionKind.DRIFT_CHECK in accepted(asked("data_processed", state))


def test_a_high_drift_turns_a_scheduled_retrain_into_one_that_runs_now() -> None:
    state = KNOWN.with_open(waiting(ActionKind.RETRAIN, due_at=NOON + timedelta(hours=15), reason="data_drift_medium"))

    absorption = asked(DRIFT, state, drift_score=0.7).answers[0].absorption

    assert absorption is not None
    assert (absorption.due_at, absorption.runs_now) == (NOON, True)
    assert (absorption.priority, absorption.severity, absorption.reason) == ("high", "high", "data_drift_high")


@pytest.mark.parametrize(("rows", "outcome"), [(99, Outcome.ABSORBED), (100, Outcome.ACCEPTED)])
def test_a_running_retrain_takes_another_in_unless_there_is_new_data(rows: int, outcome: Outcome) -> None:
    state = KNOWN.with_open(waiting(ActionKind.RETRAIN, status="running")).with_rows(rows, NOON)

    assert asked(DRIFT, state, drift_score=0.7).outcome is outcome


def test_another_candidate_is_another_target() -> None:
    state = KNOWN.with_open(waiting(ActionKind.EVALUATE, target=f"{MODEL}@2"))

    assert asked("model_training_completed", state, model_version=f"{MODEL}@2").outcome is Outcome.ABSORBED
    assert asked("model_training_completed", state, model_version=f"{MODEL}@3").outcome is Outcome.ACCEPTED


def test_each_batch_is_ingested_by_itself() -> None:
    state = State().with_open(waiting(ActionKind.INGEST, target="b1"))

    assert decide(event("data_ingested"), state, NOON, POLICY).outcome is Outcome.ACCEPTED


# Determinism

STATES = st.builds(
    lambda moments, refused, rows: State(
        model=MODEL,
        datasets=("videos.KR",),
        accepted=tuple(
            Accepted(event_type, kind, MODEL, Severity(severity), NOON - timedelta(minutes=minutes)) for event_type, kind, severity, minutes in moments
        ),
        refused_at=NOON - timedelta(days=1) if refused else None,
        rows_since_refused=rows,
    ),
    st.lists(
        st.tuples(
            st.sampled_from([DRIFT, DEGRADED]),
            st.sampled_from([ActionKind.RETRAIN, ActionKind.ROLLBACK, ActionKind.ALERT, ActionKind.MONITOR]),
            st.integers(1, 4),
            st.integers(0, 90),
        ),
        max_size=8,
        unique_by=lambda one: one[:3],
    ),
    st.booleans(),
    st.integers(0, 200),
)


@given(state=STATES, score=st.floats(0, 1), word=WORDS, seed=st.integers(0, 9))
def test_the_same_arguments_give_the_same_bytes(state: State, score: float, word: str, seed: int) -> None:
    about = event(DRIFT, drift_score=score, severity=word, event_id="e")
    shuffled = list(state.accepted)
    random.Random(seed).shuffle(shuffled)
    rebuilt = State(**{**vars(state), "accepted": tuple(shuffled)})

    assert decide(about, state, NOON, POLICY).body() == decide(about, rebuilt, NOON, POLICY).body()


@given(state=STATES, drop=st.floats(0, 2), helps=st.booleans())
def test_an_accepted_action_passed_every_guard_and_a_stopped_one_says_which(state: State, drop: float, *, helps: bool) -> None:
    for answer in asked(DEGRADED, state, performance_drop=drop, rollback_target=f"{MODEL}@1", rollback_helps=helps).answers:
        passed = [result.passed for result in answer.guards]
        assert all(passed) if answer.outcome is Outcome.ACCEPTED else passed[-1:] == [False]


def test_the_action_of_a_repeated_decision_is_the_same_action() -> None:
    about = event(DRIFT, drift_score=0.7, event_id="e")

    first, second = (accepted(decide(about, KNOWN, now, POLICY))[ActionKind.RETRAIN] for now in (NOON, NOON + timedelta(seconds=9)))

    assert first.id == second.id
