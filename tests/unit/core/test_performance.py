"""Which rows a window holds, and what counts as degraded."""

from __future__ import annotations

import math
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.core.evaluation import Interval
from evergreen.core.performance import is_degraded, newest_days, sure_drop
from evergreen.core.relative_drop import Direction

DAY = date(2025, 1, 31)


def _days(*counts: int) -> list[date]:
    return [DAY - timedelta(days=ago) for ago, count in enumerate(counts) for _ in range(count)]


@pytest.mark.parametrize(
    ("counts", "at_least", "n"),
    [
        pytest.param((110, 110, 110), 200, 220, id="whole-days-until-there-are-enough"),
        pytest.param((207, 110), 200, 207, id="one-day-is-enough"),
        pytest.param((100, 100, 100), 200, 200, id="exactly-enough"),
        pytest.param((30, 20), 200, 50, id="all-there-is"),
        pytest.param((), 200, 0, id="nothing"),
    ],
)
def test_windows_end_between_days(counts: tuple[int, ...], at_least: int, n: int) -> None:
    assert newest_days(_days(*counts), at_least) == n


@given(st.lists(st.integers(0, 50), max_size=20), st.integers(1, 300))
def test_a_window_is_as_short_as_it_can_be(counts: list[int], at_least: int) -> None:
    days = _days(*counts)
    n = newest_days(days, at_least)
    assert n == len(days) or (n >= at_least and days[n] != days[n - 1])
    without_last_day = [day for day in days[:n] if day != days[n - 1]] if n else []
    assert len(without_last_day) < at_least


@pytest.mark.parametrize(("low", "degraded"), [(0.0501, True), (0.05, False), (-0.2, False), (float("nan"), False)])
def test_degraded_from_the_lower_bound(low: float, degraded: bool) -> None:
    assert is_degraded(Interval(0.3, low, 0.6, 0.01)) is degraded


@pytest.mark.parametrize(
    ("direction", "spread", "degraded"),
    [
        pytest.param("lower", 0.07, True, id="an-error-sure-enough"),
        pytest.param("lower", 0.08, False, id="an-error-not-sure-enough"),
        pytest.param("higher", 0.071, True, id="a-score-sure-enough"),
        pytest.param("higher", 0.072, False, id="a-score-not-sure-enough"),
        pytest.param("lower", math.nan, False, id="nobody-knows-how-sure"),
    ],
)
def test_one_look_of_hundreds_must_be_surer_than_one_alone(direction: Direction, spread: float, degraded: bool) -> None:
    assert is_degraded(Interval(0.3, 0.1, 0.6, spread), direction) is degraded


def test_no_error_left_is_no_drop() -> None:
    assert sure_drop(Interval(-1.0, -1.0, -1.0, 0.0)) == -1.0
