"""Hours of the day in a zone, also on the days its clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.core.schedule import DailyHours, last_daily, next_daily

SEOUL, NEW_YORK, BERLIN = ZoneInfo("Asia/Seoul"), ZoneInfo("America/New_York"), ZoneInfo("Europe/Berlin")
NIGHT = DailyHours(time(3), time(5), SEOUL)
OVER_MIDNIGHT = DailyHours(time(22), time(2), SEOUL)


def seoul(hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2025, 8, 6, hour, minute, second, tzinfo=SEOUL)


@pytest.mark.parametrize(
    ("at", "inside"),
    [(seoul(2, 59, 59), False), (seoul(3), True), (seoul(4, 59, 59), True), (seoul(5), False), (seoul(12), False)],
)
def test_a_window_holds_its_start_and_not_its_end(at: datetime, *, inside: bool) -> None:
    assert NIGHT.contains(at) is inside


@pytest.mark.parametrize(("at", "inside"), [(seoul(21, 59), False), (seoul(22), True), (seoul(0), True), (seoul(1, 59), True), (seoul(2), False)])
def test_a_window_may_span_midnight(at: datetime, *, inside: bool) -> None:
    assert OVER_MIDNIGHT.contains(at) is inside


def test_the_next_start_is_now_inside_and_the_next_morning_outside() -> None:
    assert NIGHT.next_start(seoul(4)) == seoul(4)
    assert NIGHT.next_start(seoul(2)) == seoul(3)
    assert NIGHT.next_start(seoul(5)) == seoul(3) + timedelta(days=1)


@pytest.mark.parametrize("zone", [NEW_YORK, BERLIN, SEOUL], ids=str)
@given(minutes=st.integers(0, 3 * 366 * 24 * 60), hour=st.integers(0, 23))
def test_daily_times_come_once_a_day_in_every_zone(zone: ZoneInfo, minutes: int, hour: int) -> None:
    at = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    last, following = last_daily(time(hour), zone, at), next_daily(time(hour), zone, at)

    assert last <= at < following
    assert timedelta(hours=22) <= following - last <= timedelta(hours=26)


def test_a_start_that_the_change_to_summer_time_skips_comes_right_after_it() -> None:
    hours = DailyHours(time(2, 30), time(4), NEW_YORK)  # 2025-03-09: 02:00 becomes 03:00

    start = hours.next_start(datetime(2025, 3, 9, 5, 0, tzinfo=UTC))

    assert start.astimezone(NEW_YORK).date().isoformat() == "2025-03-09"
    assert hours.contains(start)
