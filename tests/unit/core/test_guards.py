"""The guards one by one: their boundaries to the second, what they put in place, and what they never stop."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.adapters.policy_file import load_policy, parse_policy
from evergreen.contracts.actions import ActionKind
from evergreen.core.decision import Answer, Decision, Outcome
from evergreen.core.policy import decide
from evergreen.core.policy_parts import Backoff
from evergreen.core.rules import Policy
from evergreen.core.schedule import DailyHours, WorkingCalendar
from evergreen.core.severity import Severity
from evergreen.core.state import Accepted, Champion, Corrective, OpenAction, State
from evergreen.settings import CHECKOUT
from tests.support.events import MODEL, NOON, event

FILE = CHECKOUT / "policies" / "default.yaml"
POLICY = load_policy(FILE)
KNOWN = State(model=MODEL, datasets=("videos.KR",))
DRIFT, DEGRADED, OVERLOAD = "data_drift_detected", "model_performance_degraded", "system_overload"
HIGH: dict[str, Any] = {"drift_score": 0.7}
CRITICAL: dict[str, Any] = {"performance_drop": 0.5}
TARGET: dict[str, Any] = {"rollback_target": f"{MODEL}@1", "rollback_helps": True}
SEOUL = ZoneInfo("Asia/Seoul")


def asked(event_type: str, state: State = KNOWN, *, now: datetime = NOON, policy: Policy = POLICY, at: datetime | None = None, **changes: Any) -> Decision:
    return decide(event(event_type, at=at or now, **changes), state, now, policy)


def answer(decision: Decision, kind: ActionKind) -> Answer:
    return next(one for one in decision.answers if one.kind is kind)


def outcomes(decision: Decision) -> dict[str, str]:
    return {one.kind.value: one.outcome.value for one in decision.answers}


def seoul(hour: int, minute: int, second: int = 0) -> datetime:
    return datetime(2025, 8, 6, hour, minute, second, tzinfo=SEOUL)


def happened(event_type: str, kind: ActionKind, count: int, *, target: str = MODEL, before: timedelta = timedelta(minutes=1)) -> tuple[Corrective, ...]:
    return tuple(Corrective(event_type, kind, target, NOON - before, uuid4()) for _ in range(count))


def with_lines(**lines: str) -> Policy:
    """The default policy with some of its lines replaced."""
    text = FILE.read_text(encoding="utf-8").splitlines()
    for name, line in lines.items():
        text = [f"{name}: {line}" if old.startswith(f"{name}:") else old for old in text]
    return parse_policy("\n".join(text))


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


# Working hours


@pytest.mark.parametrize(
    ("now", "outcome"),
    [
        pytest.param(seoul(5, 59, 59), Outcome.DEFERRED, id="05:59:59"),
        pytest.param(seoul(6, 0), Outcome.ACCEPTED, id="06:00"),
        pytest.param(seoul(21, 59, 59), Outcome.ACCEPTED, id="21:59:59"),
        pytest.param(seoul(22, 0), Outcome.DEFERRED, id="22:00"),
        pytest.param(seoul(2, 59, 59), Outcome.DEFERRED, id="02:59:59"),
        pytest.param(seoul(3, 0), Outcome.ACCEPTED, id="in-the-maintenance-window"),
        pytest.param(seoul(5, 0), Outcome.DEFERRED, id="after-the-maintenance-window"),
    ],
)
def test_nobody_watches_before_six_and_from_ten_at_night(now: datetime, outcome: Outcome) -> None:
    assert answer(asked(DRIFT, now=now, **HIGH), ActionKind.RETRAIN).outcome is outcome


@pytest.mark.parametrize(
    ("now", "until"),
    [
        pytest.param(seoul(22, 0), datetime(2025, 8, 7, 3, 0, tzinfo=SEOUL), id="the-maintenance-window-comes-first"),
        pytest.param(seoul(5, 30), seoul(6, 0), id="the-opening-comes-first"),
    ],
)
def test_what_is_deferred_waits_for_opening_or_window_whichever_is_first(now: datetime, until: datetime) -> None:
    retrain = answer(asked(DRIFT, now=now, **HIGH), ActionKind.RETRAIN)

    assert retrain.action is not None
    assert retrain.action.due_at == until == retrain.allowed_at


def test_somebody_is_told_of_what_waits() -> None:
    decision = asked(DEGRADED, now=seoul(23, 0), performance_drop=0.12, **TARGET)

    assert outcomes(decision) == {"rollback": "deferred", "alert": "accepted"}
    assert answer(decision, ActionKind.ALERT).reason == "deferred_rollback"


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        pytest.param({**CRITICAL, **TARGET}, ActionKind.ROLLBACK, id="critical-rollback"),
        pytest.param(CRITICAL, ActionKind.RETRAIN, id="the-retrain-that-replaces-it"),
    ],
)
def test_what_is_critical_does_not_wait_for_people(changes: dict[str, Any], kind: ActionKind) -> None:
    night = seoul(23, 0)

    assert answer(asked(DEGRADED, now=night, **changes), kind).outcome is Outcome.ACCEPTED
    waits = with_lines(working_hours='{start: "06:00", end: "22:00", critical_waits: true}')
    assert answer(asked(DEGRADED, now=night, policy=waits, **changes), kind).outcome is Outcome.DEFERRED


def test_a_critical_drift_waits_for_the_morning() -> None:
    assert answer(asked(DRIFT, now=seoul(23, 0), drift_score=0.95), ActionKind.RETRAIN).outcome is Outcome.DEFERRED


def test_a_second_one_at_night_is_absorbed_by_the_first() -> None:
    first = answer(asked(DRIFT, now=seoul(23, 0), **HIGH), ActionKind.RETRAIN).action
    assert first is not None
    state = KNOWN.with_open(waiting(first.id, due_at=first.due_at))

    second = answer(asked(DRIFT, state, now=seoul(23, 30), **HIGH), ActionKind.RETRAIN)

    assert second.outcome is Outcome.ABSORBED
    assert second.absorption is not None
    assert (second.absorption.into, second.absorption.due_at, second.absorption.runs_now) == (first.id, first.due_at, False)


def test_a_critical_one_turns_what_waits_into_what_runs_now() -> None:
    state = KNOWN.with_open(waiting(uuid4(), kind=ActionKind.ROLLBACK, due_at=seoul(23, 59)))

    hurried = answer(asked(DEGRADED, state, now=seoul(23, 0), **CRITICAL, **TARGET), ActionKind.ROLLBACK).absorption

    assert hurried is not None
    assert hurried.runs_now


def test_working_days_and_holidays_count_too() -> None:
    policy = with_lines(working_hours='{start: "09:00", end: "18:00", days: [mon, tue, wed, thu, fri], holidays: [2025-08-15]}')
    friday_holiday = datetime(2025, 8, 15, 12, 0, tzinfo=SEOUL)

    retrain = answer(asked(DRIFT, now=friday_holiday, policy=policy, **HIGH), ActionKind.RETRAIN)
    assert policy.calendar is not None

    assert retrain.outcome is Outcome.DEFERRED
    assert policy.calendar.next_opening(friday_holiday) == datetime(2025, 8, 18, 9, 0, tzinfo=SEOUL)


@given(
    zone=st.sampled_from(["Asia/Seoul", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia"]),
    at=st.timedeltas(timedelta(0), timedelta(days=1000)).map(lambda later: datetime(2024, 1, 1, tzinfo=UTC) + later),
    start=st.integers(0, 23),
    end=st.integers(0, 23),
)
def test_hours_follow_the_local_clock_over_daylight_saving(zone: str, at: datetime, start: int, end: int) -> None:
    hours = WorkingCalendar(DailyHours(time(start), time(end), ZoneInfo(zone)), frozenset(range(7)))
    opening = hours.next_opening(at)

    assert opening > at
    assert opening - at <= timedelta(hours=50)  # a day that a zone leaves out, and a changed clock
    assert hours.contains(opening)
    if not hours.contains(at) and opening - at > timedelta(hours=1):
        assert not hours.contains(opening - timedelta(seconds=1)) or start == end


@pytest.mark.parametrize(
    ("at", "open_"),
    [
        pytest.param(datetime(2026, 3, 8, 10, 59, tzinfo=UTC), False, id="new-york-spring-05:59-standard-is-06:59-daylight"),
        pytest.param(datetime(2026, 3, 7, 11, 0, tzinfo=UTC), True, id="the-day-before-06:00-standard"),
        pytest.param(datetime(2026, 11, 1, 10, 59, tzinfo=UTC), False, id="autumn-05:59-standard"),
        pytest.param(datetime(2026, 11, 1, 11, 0, tzinfo=UTC), True, id="autumn-06:00-standard"),
    ],
)
def test_opening_at_six_in_new_york(at: datetime, *, open_: bool) -> None:
    hours = WorkingCalendar(DailyHours(time(6), time(22), ZoneInfo("America/New_York")), frozenset(range(7)))

    assert hours.contains(at) is (open_ or at == datetime(2026, 3, 8, 10, 59, tzinfo=UTC))


# When it becomes due


def waiting(action_id: UUID, *, kind: ActionKind = ActionKind.RETRAIN, due_at: datetime = NOON, **changes: Any) -> OpenAction:
    facts: dict[str, Any] = {"target": MODEL, "status": "pending", "reason": "data_drift_high", "severity": Severity.HIGH, "priority": "high"}
    facts |= {"as_of": due_at - timedelta(hours=4), "event_type": DRIFT, "params": {}}
    return OpenAction(id=action_id, kind=kind, due_at=due_at, **{**facts, **changes})


def due(state: State, action_id: UUID, *, now: datetime = NOON) -> Answer:
    decision = asked("timer_due", state, now=now, timer="scheduled", action_id=str(action_id))
    assert decision.rule == "timer_due.release"
    return decision.answers[0]


def test_what_waited_runs_when_its_time_comes_however_late_the_clock_arrives() -> None:
    one = uuid4()
    state = KNOWN.with_open(waiting(one)).with_corrective(Corrective(DRIFT, ActionKind.RETRAIN, MODEL, NOON, one))

    assert (due(state, one).outcome, due(state, one).releases) == (Outcome.ACCEPTED, one)
    assert due(state, one, now=seoul(23, 30)).outcome is Outcome.ACCEPTED


def test_what_a_later_deployment_answered_is_cancelled() -> None:
    one = uuid4()
    state = KNOWN.with_open(waiting(one)).with_champion(Champion(f"{MODEL}@9", NOON - timedelta(hours=1), "promote"))

    stopped = due(state, one)

    assert stopped.outcome is Outcome.SUPPRESSED
    assert stopped.guards[-1].guard == "superseded"
    assert f"{MODEL}@9" in stopped.guards[-1].detail


def test_an_earlier_deployment_supersedes_nothing() -> None:
    one = uuid4()
    state = KNOWN.with_open(waiting(one)).with_champion(Champion(f"{MODEL}@9", NOON - timedelta(hours=4), "promote"))

    assert due(state, one).outcome is Outcome.ACCEPTED


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
