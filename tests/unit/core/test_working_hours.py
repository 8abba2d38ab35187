"""Working hours, and what becomes of what waited for them."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.contracts.actions import ActionKind
from evergreen.core.decision import Answer, Outcome
from evergreen.core.schedule import DailyHours, WorkingCalendar
from evergreen.core.severity import Severity
from evergreen.core.state import Champion, Corrective, OpenAction, State
from tests.support.deciding import CRITICAL, DEGRADED, DRIFT, HIGH, KNOWN, SEOUL, TARGET, answer, asked, outcomes, seoul, with_lines
from tests.support.events import MODEL, NOON


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


@pytest.mark.parametrize(
    ("zone", "start", "end", "day"),
    [
        pytest.param("America/New_York", "02:00", "03:00", datetime(2026, 3, 8, 7, 0, tzinfo=UTC), id="all-of-it-is-skipped"),
        pytest.param("America/Santiago", "00:00", "01:00", datetime(2026, 9, 6, 4, 0, tzinfo=UTC), id="midnight-is-skipped"),
    ],
)
def test_hours_that_a_change_of_clocks_skips_are_empty_and_never_a_day_long(zone: str, start: str, end: str, day: datetime) -> None:
    hours = DailyHours(time.fromisoformat(start), time.fromisoformat(end), ZoneInfo(zone))

    assert not any(hours.contains(day + timedelta(minutes=10 * number)) for number in range(130))
    assert hours.contains(day + timedelta(days=1)) or hours.contains(day + timedelta(hours=23))


def test_an_alert_stands_in_once_however_many_guards_ask_for_it() -> None:
    limits = tuple(Corrective(DRIFT, ActionKind.RETRAIN, MODEL, seoul(12, 0), uuid4()) for _ in range(6))

    decision = asked(DRIFT, State(model=MODEL, corrective=limits), now=seoul(23, 0), **HIGH)

    assert [one.kind for one in decision.answers].count(ActionKind.ALERT) == 1


def test_a_rollback_that_was_asked_for_and_has_no_target_says_so() -> None:
    decision = asked(DEGRADED, severity="medium", action_required="ROLLBACK")

    assert decision.notes == ("no_better_target",)
    assert answer(decision, ActionKind.RETRAIN).action is not None
