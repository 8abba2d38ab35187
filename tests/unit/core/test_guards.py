"""The guards one by one: their boundaries to the second, what they put in place, and what they never stop."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.contracts.actions import ActionKind
from evergreen.core.decision import Outcome
from evergreen.core.policy_parts import Backoff
from evergreen.core.severity import Severity
from evergreen.core.state import Accepted, Champion, Corrective, State
from tests.support.deciding import CRITICAL, DEGRADED, DRIFT, HIGH, KNOWN, OVERLOAD, TARGET, answer, asked, outcomes, with_lines
from tests.support.events import MODEL, NOON


def happened(event_type: str, kind: ActionKind, count: int, *, target: str = MODEL, before: timedelta = timedelta(minutes=1)) -> tuple[Corrective, ...]:
    return tuple(Corrective(event_type, kind, target, NOON - before, uuid4()) for _ in range(count))


# Storm breaker


@pytest.mark.parametrize(("before", "outcome"), [(0, "accepted"), (3, "accepted"), (4, "suppressed"), (9, "suppressed")])
def test_the_fourth_response_within_an_hour_passes_and_the_fifth_becomes_monitor(before: int, outcome: str) -> None:
    state = State(corrective=happened(OVERLOAD, ActionKind.SCALE_UP, before, target="serving"))

    decision = asked(OVERLOAD, state)

    assert answer(decision, ActionKind.SCALE_UP).outcome.value == outcome
    assert outcomes(decision) == ({"scale_up": "accepted"} if outcome == "accepted" else {"scale_up": "suppressed", "monitor": "accepted", "alert": "accepted"})


def test_an_hour_old_response_counts_no_longer() -> None:
    old = happened(OVERLOAD, ActionKind.SCALE_UP, 1, target="serving", before=timedelta(minutes=60))
    state = State(corrective=(*old, *happened(OVERLOAD, ActionKind.SCALE_UP, 3, target="serving")))

    assert answer(asked(OVERLOAD, state), ActionKind.SCALE_UP).outcome is Outcome.ACCEPTED


def test_a_storm_says_when_it_is_over() -> None:
    recent = tuple(Corrective(OVERLOAD, ActionKind.SCALE_UP, "serving", NOON - timedelta(minutes=minutes), uuid4()) for minutes in (50, 40, 30, 20, 15))

    stopped = answer(asked(OVERLOAD, State(corrective=recent)), ActionKind.SCALE_UP)

    assert stopped.allowed_at == NOON + timedelta(minutes=20)
    assert "more than 3" in stopped.guards[-1].detail


def test_storms_are_per_event_type_and_service() -> None:
    state = State(
        corrective=(
            *happened(OVERLOAD, ActionKind.SCALE_UP, 9, target="other"),
            *happened("prediction_latency_high", ActionKind.SCALE_UP, 9, target="serving"),
        )
    )

    assert outcomes(asked(OVERLOAD, state)) == {"scale_up": "accepted"}


def test_one_digest_is_sent_for_a_storm() -> None:
    storm = State(corrective=happened(OVERLOAD, ActionKind.SCALE_UP, 4, target="serving"))
    told = storm.with_accepted(Accepted(OVERLOAD, ActionKind.ALERT, "serving", Severity.CRITICAL, NOON - timedelta(minutes=59)))

    assert answer(asked(OVERLOAD, storm), ActionKind.ALERT).outcome is Outcome.ACCEPTED
    assert answer(asked(OVERLOAD, told), ActionKind.ALERT).outcome is Outcome.SUPPRESSED


def test_a_critical_rollback_goes_through_a_storm() -> None:
    state = State(model=MODEL, corrective=happened(DEGRADED, ActionKind.RETRAIN, 6))

    assert answer(asked(DEGRADED, state, **CRITICAL, **TARGET), ActionKind.ROLLBACK).outcome is Outcome.ACCEPTED
    assert answer(asked(DEGRADED, state, performance_drop=0.12, **TARGET), ActionKind.ROLLBACK).outcome is Outcome.SUPPRESSED


# Blast radius


@pytest.mark.parametrize(("before", "outcome"), [(5, Outcome.ACCEPTED), (6, Outcome.SUPPRESSED)])
def test_six_retrains_a_day(before: int, outcome: Outcome) -> None:
    state = State(model=MODEL, corrective=happened(DEGRADED, ActionKind.RETRAIN, before, before=timedelta(hours=20)))

    retrain = answer(asked(DRIFT, state, **HIGH), ActionKind.RETRAIN)

    assert retrain.outcome is outcome
    assert retrain.allowed_at == (None if outcome is Outcome.ACCEPTED else NOON + timedelta(hours=4))


@pytest.mark.parametrize(("before", "outcome"), [(2, Outcome.ACCEPTED), (3, Outcome.SUPPRESSED)])
def test_three_rollbacks_a_day_also_critical_ones(before: int, outcome: Outcome) -> None:
    state = State(model=MODEL, corrective=happened(DEGRADED, ActionKind.ROLLBACK, before, before=timedelta(hours=20)))

    decision = asked(DEGRADED, state, **CRITICAL, **TARGET)

    assert answer(decision, ActionKind.ROLLBACK).outcome is outcome
    assert answer(decision, ActionKind.ALERT).outcome is Outcome.ACCEPTED


def test_a_day_later_it_counts_no_longer() -> None:
    state = State(model=MODEL, corrective=happened(DEGRADED, ActionKind.RETRAIN, 6, before=timedelta(hours=24)))

    assert answer(asked(DRIFT, state, **HIGH), ActionKind.RETRAIN).outcome is Outcome.ACCEPTED


@pytest.mark.parametrize(
    ("version", "at", "outcome"),
    [
        pytest.param(f"{MODEL}@2", NOON, Outcome.SUPPRESSED, id="about-the-version-that-left"),
        pytest.param(f"{MODEL}@1", NOON - timedelta(hours=2), Outcome.SUPPRESSED, id="from-before-the-rollback"),
        pytest.param(f"{MODEL}@1", NOON, Outcome.ACCEPTED, id="new-evidence"),
    ],
)
def test_no_rollback_of_a_rollback_without_new_evidence(version: str, at: datetime, outcome: Outcome) -> None:
    state = KNOWN.with_champion(Champion(f"{MODEL}@1", NOON - timedelta(hours=1), "rollback"))
    target: dict[str, Any] = {"rollback_target": f"{MODEL}@0", "rollback_helps": True}

    assert answer(asked(DEGRADED, state, at=at, model_version=version, **CRITICAL, **target), ActionKind.ROLLBACK).outcome is outcome


def test_never_back_to_what_was_not_stable() -> None:
    state = State(model=MODEL, not_stable=(f"{MODEL}@1",))

    decision = asked(DEGRADED, state, **CRITICAL, **TARGET)

    assert answer(decision, ActionKind.ROLLBACK).outcome is Outcome.SUPPRESSED
    assert "not_stable" in answer(decision, ActionKind.ROLLBACK).guards[-1].detail
    assert answer(decision, ActionKind.ALERT).outcome is Outcome.ACCEPTED


def test_a_pause_stops_what_changes_something_and_nothing_else() -> None:
    paused = State(model=MODEL, datasets=("videos.KR",), paused=True)

    assert outcomes(asked(DRIFT, paused, **HIGH)) == {"retrain": "paused", "alert": "accepted"}
    assert outcomes(asked(DEGRADED, paused, **CRITICAL, **TARGET)) == {"rollback": "paused", "alert": "accepted"}
    assert outcomes(asked(OVERLOAD, State(paused=True))) == {"scale_up": "paused"}
    assert outcomes(asked(DRIFT, paused)) == {"monitor": "accepted", "alert": "accepted"}
    assert outcomes(asked("data_processed", paused)) == {"drift_check": "accepted"}


def test_a_promotion_is_decided_in_a_pause_and_waits() -> None:
    promote = answer(asked("model_evaluation_completed", State(model=MODEL, paused=True)), ActionKind.PROMOTE)

    assert promote.outcome is Outcome.ACCEPTED
    assert "evergreen policy resume" in promote.guards[0].detail


@pytest.mark.parametrize(("event_type", "changes", "kind"), [("model_evaluation_completed", {}, "promote"), (DEGRADED, {**CRITICAL, **TARGET}, "rollback")])
def test_a_model_of_somebodys_is_promoted_and_rolled_back_by_them(event_type: str, changes: dict[str, Any], kind: str) -> None:
    manual = with_lines(approvals=f"{{{MODEL}: {{mode: manual, timeout: 2h, default: approve}}}}")

    action = answer(asked(event_type, policy=manual, **changes), ActionKind(kind)).action

    assert action is not None
    assert action.params["approval"] == {"timeout_seconds": 7200, "default": "approve"}
    automatic = answer(asked(event_type, **changes), ActionKind(kind)).action
    assert automatic is not None
    assert "approval" not in automatic.params


def test_a_retrain_asks_nobody() -> None:
    manual = with_lines(approvals=f"{{{MODEL}: manual}}")

    retrain = answer(asked(DRIFT, policy=manual, **HIGH), ActionKind.RETRAIN).action

    assert retrain is not None
    assert "approval" not in retrain.params


# Failures


@pytest.mark.parametrize(("times", "minutes"), [(1, 5), (2, 10), (3, 20), (10, 360)])
def test_what_failed_backs_off_longer_each_time(times: int, minutes: int) -> None:
    state = KNOWN
    for _ in range(times):
        state = state.with_end(ActionKind.RETRAIN, MODEL, NOON, failed=True)

    held = answer(asked(DRIFT, state, **HIGH), ActionKind.RETRAIN)
    later = answer(asked(DRIFT, state, now=NOON + timedelta(minutes=minutes), **HIGH), ActionKind.RETRAIN)

    assert (held.outcome, held.allowed_at) == (Outcome.SUPPRESSED, NOON + timedelta(minutes=minutes))
    assert later.outcome is Outcome.ACCEPTED


def test_a_success_ends_the_row_of_failures() -> None:
    state = KNOWN.with_end(ActionKind.RETRAIN, MODEL, NOON, failed=True).with_end(ActionKind.RETRAIN, MODEL, NOON, failed=False)

    assert answer(asked(DRIFT, state, **HIGH), ActionKind.RETRAIN).outcome is Outcome.ACCEPTED


@given(times=st.integers(1, 10_000))
def test_a_back_off_is_never_longer_than_its_longest(times: int) -> None:
    assert Backoff().first <= Backoff().after(times) <= Backoff().longest


# A version that bakes


@pytest.mark.parametrize("severity", ["medium", "high", "critical"])
def test_an_unhealthy_version_in_its_bake_is_rolled_back(severity: str) -> None:
    state = State(model=MODEL, champion=Champion(f"{MODEL}@2", NOON - timedelta(hours=1), "promote"), not_stable=(f"{MODEL}@2",))

    decision = asked("service_health_check_failed", state, service_name="serving", model_version=f"{MODEL}@2", severity=severity)

    assert outcomes(decision) == {"rollback": "accepted", "alert": "accepted"}


@pytest.mark.parametrize(
    "state",
    [
        pytest.param(State(model=MODEL, champion=Champion(f"{MODEL}@2", NOON, "promote")), id="stable"),
        pytest.param(State(model=MODEL, champion=Champion(f"{MODEL}@3", NOON, "promote"), not_stable=(f"{MODEL}@2", f"{MODEL}@3")), id="not-serving"),
        pytest.param(State(model=MODEL), id="no-champion"),
    ],
)
def test_any_other_illness_is_an_alert(state: State) -> None:
    decision = asked("service_health_check_failed", state, service_name="serving", model_version=f"{MODEL}@2", severity="critical")

    assert outcomes(decision) == {"alert": "accepted"}
