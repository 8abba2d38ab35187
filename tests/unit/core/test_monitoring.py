"""From numbers to a severity, from probes to a state, from a `monitor` action to a pace."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.core.monitoring import Health, Load, Pace, check_every, held_severity, is_stuck, probed, severity_of, stays_low
from evergreen.core.severity import Severity

BUSY = (70.0, 80.0, 90.0, 95.0)
SLOW = (100.0, 150.0, 250.0, 1000.0)
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
HOURS = timedelta(hours=1)
shares = st.floats(0, 200, allow_nan=False)
maybe_shares = st.one_of(st.none(), shares)


@pytest.mark.parametrize(
    ("value", "severity"),
    [
        pytest.param(69.99, None, id="just-below"),
        pytest.param(70.0, Severity.LOW, id="the-bound-itself"),
        pytest.param(79.99, Severity.LOW, id="below-medium"),
        pytest.param(80.0, Severity.MEDIUM, id="medium"),
        pytest.param(90.0, Severity.HIGH, id="high"),
        pytest.param(94.999, Severity.HIGH, id="below-critical"),
        pytest.param(95.0, Severity.CRITICAL, id="critical"),
    ],
)
def test_load_counts_from_the_bound_on(value: float, severity: Severity | None) -> None:
    assert severity_of(value, BUSY, inclusive=True) == severity


@pytest.mark.parametrize(
    ("value", "severity"),
    [
        pytest.param(100.0, None, id="the-bound-itself-is-allowed"),
        pytest.param(100.01, Severity.LOW, id="low"),
        pytest.param(150.0, Severity.LOW, id="not-yet-medium"),
        pytest.param(250.01, Severity.HIGH, id="high"),
        pytest.param(1000.0, Severity.HIGH, id="not-yet-critical"),
        pytest.param(1000.01, Severity.CRITICAL, id="critical"),
    ],
)
def test_latency_counts_above_the_bound(value: float, severity: Severity | None) -> None:
    assert severity_of(value, SLOW, inclusive=False) == severity


def test_two_windows_over_the_bound_are_not_three() -> None:
    assert held_severity([99.0, 99.0], BUSY, in_a_row=3, inclusive=True) is None
    assert held_severity([99.0, 10.0, 99.0, 99.0], BUSY, in_a_row=3, inclusive=True) is None
    assert held_severity([10.0, 99.0, 99.0, 99.0], BUSY, in_a_row=3, inclusive=True) is Severity.CRITICAL


def test_the_mildest_of_the_three_decides() -> None:
    assert held_severity([99.0, 72.0, 91.0], BUSY, in_a_row=3, inclusive=True) is Severity.LOW


def test_a_window_that_was_not_measured_breaks_the_row() -> None:
    assert held_severity([99.0, None, 99.0], BUSY, in_a_row=3, inclusive=True) is None


@given(st.lists(maybe_shares, max_size=8), st.integers(1, 4))
def test_a_severity_is_held_exactly_when_each_of_the_newest_windows_reaches_its_bound(windows: list[float | None], in_a_row: int) -> None:
    found = held_severity(windows, BUSY, in_a_row=in_a_row, inclusive=True)
    newest = windows[-in_a_row:]
    for severity, bound in zip(Severity, BUSY, strict=True):
        reached = len(newest) == in_a_row and all(value is not None and value >= bound for value in newest)
        assert (found is not None and found >= severity) == reached


@given(shares, shares)
def test_more_load_is_never_less_severe(one: float, other: float) -> None:
    low, high = (severity_of(value, BUSY, inclusive=True) or 0 for value in sorted((one, other)))
    assert low <= high


def loads(*minutes_and_shares: tuple[float, float | None]) -> list[Load]:
    return [Load(NOON - timedelta(minutes=minutes), share) for minutes, share in minutes_and_shares]


@pytest.mark.parametrize(
    ("seen", "low"),
    [
        pytest.param(loads((10, 0.29), (5, 0.1), (0, 0.2)), True, id="ten-minutes"),
        pytest.param(loads((9.9, 0.1), (5, 0.1), (0, 0.1)), False, id="not-watched-long-enough"),
        pytest.param(loads((10, 0.1), (5, 0.30), (0, 0.1)), False, id="the-bound-itself-is-not-low"),
        pytest.param(loads((10, 0.1), (5, None), (0, 0.1)), False, id="not-measured-in-between"),
        pytest.param(loads((20, 0.9), (11, 0.1), (0, 0.1)), True, id="busy-before"),
        pytest.param(loads((11, 0.9), (5, 0.1), (0, 0.1)), False, id="busy-when-the-ten-minutes-began"),
        pytest.param([], False, id="nothing-known"),
    ],
)
def test_low_means_all_the_time(seen: list[Load], low: bool) -> None:
    assert stays_low(seen, NOON, below=0.30, lasting=timedelta(minutes=10)) is low


def test_a_part_fails_after_three_faults_in_a_row_and_is_well_at_the_first_answer() -> None:
    health = Health()
    assert health.failing is None
    for expected in (None, None, True, True):
        health = probed(health, "no answer", failures=3)
        assert health.failing is expected
    assert health.detail == "no answer"
    assert probed(health, None, failures=3) == Health(failing=False)


def test_a_part_that_never_answered_is_waited_for_while_it_may_be_starting() -> None:
    health = Health()
    for _ in range(9):
        health = probed(health, "no answer", failures=3, starting=True)
    assert health.failing is None
    assert probed(health, "no answer", failures=3).failing is True


def test_a_part_that_answered_once_gets_no_time_to_start() -> None:
    health = Health(failing=False)
    for _ in range(3):
        health = probed(health, "no answer", failures=3, starting=True)
    assert health.failing is True


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 5))
def test_failing_is_exactly_a_long_enough_row_since_the_last_answer(answers: list[bool], failures: int) -> None:
    health = Health()
    for answered in answers:
        health = probed(health, None if answered else "no", failures=failures)
    row = next((at for at, answered in enumerate(reversed(answers)) if answered), len(answers))
    assert (health.failing is True) == (row >= failures)


def backlog(*counts: int) -> list[tuple[datetime, int]]:
    return [(NOON - timedelta(seconds=30 * (len(counts) - 1 - at)), count) for at, count in enumerate(counts)]


@pytest.mark.parametrize(
    ("counts", "stuck"),
    [
        pytest.param((5, 5, 5, 5, 5), True, id="nothing-moves"),
        pytest.param((5, 6, 7, 8, 9), True, id="only-more"),
        pytest.param((5, 6, 7, 6, 9), False, id="some-were-taken"),
        pytest.param((0, 5, 5, 5, 5), False, id="was-empty-a-moment-ago"),
        pytest.param((5, 5, 5), False, id="not-watched-long-enough"),
        pytest.param((), False, id="nothing-known"),
    ],
)
def test_a_queue_that_never_gets_shorter_is_stuck(counts: tuple[int, ...], stuck: bool) -> None:
    assert is_stuck(backlog(*counts), NOON, lasting=timedelta(seconds=120)) is stuck


@pytest.mark.parametrize(
    ("since", "seconds"),
    [
        pytest.param(None, 300, id="never"),
        pytest.param(timedelta(0), 30, id="at-once"),
        pytest.param(2 * HOURS - timedelta(seconds=1), 30, id="until-two-hours"),
        pytest.param(2 * HOURS, 300, id="falls-back"),
        pytest.param(-HOURS, 300, id="accepted-in-the-future"),
    ],
)
def test_the_pace_rises_for_two_hours_after_a_monitor_action(since: timedelta | None, seconds: int) -> None:
    accepted = None if since is None else NOON - since
    assert check_every(accepted, NOON, Pace()).total_seconds() == seconds
