"""Which days' batches should be there."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from evergreen.core.absence import LOOK_BACK, missing_days
from evergreen.core.release import released_at

GRACE = timedelta(hours=3)
START = datetime(2026, 1, 10, tzinfo=UTC)


def missing(covered: list[tuple[date, date]], now: datetime, since: datetime = START) -> list[date]:
    return missing_days(covered, since=since, now=now, grace=GRACE)


def test_a_day_is_missed_from_the_end_of_its_grace_on() -> None:
    day = date(2026, 1, 10)
    due = released_at(day) + GRACE  # 12:00 of the next day in Seoul
    assert due == datetime(2026, 1, 11, 3, tzinfo=UTC)
    assert missing([], due - timedelta(seconds=1)) == []
    assert missing([], due) == [day]


def test_what_was_released_before_the_beginning_is_not_missed() -> None:
    assert released_at(date(2026, 1, 9)) == START
    assert missing([], START + timedelta(days=1)) == []


def test_a_batch_of_several_days_covers_each_of_them() -> None:
    now = datetime(2026, 1, 15, tzinfo=UTC)
    assert missing([(date(2026, 1, 5), date(2026, 1, 11)), (date(2026, 1, 13), date(2026, 1, 13))], now) == [date(2026, 1, 12)]


def test_a_day_missed_for_weeks_is_looked_for_no_more() -> None:
    now = START + timedelta(days=60)
    assert min(missing([], now)) >= (now - LOOK_BACK).date() - timedelta(days=1)


@given(st.sets(st.integers(0, 12)), st.integers(0, 12 * 24))
def test_exactly_the_days_that_are_due_and_not_covered_are_missed(there: set[int], hours: int) -> None:
    first, now = date(2026, 1, 9), START + timedelta(hours=hours)
    days = [first + timedelta(days=number) for number in range(14)]
    covered = [(days[number], days[number]) for number in there]
    expected = [day for number, day in enumerate(days) if number not in there and released_at(day) > START and released_at(day) + GRACE <= now]
    assert missing(covered, now) == expected
