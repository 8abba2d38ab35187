"""When lists become known, and how a replay cuts them into batches."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from evergreen.core.release import last_released_day, released_at, week_batches

DAYS = st.dates(date(2024, 1, 1), date(2027, 12, 31))


def test_a_list_is_released_the_next_morning_in_seoul():
    assert released_at(date(2025, 7, 24)) == datetime(2025, 7, 25, 0, 0, tzinfo=UTC)


@given(DAYS, st.sampled_from(["Asia/Seoul", "America/New_York", "Europe/Berlin", "UTC"]))
def test_a_day_is_known_from_its_release_on_and_not_a_moment_earlier(day, zone):
    release = released_at(day, zone)
    assert last_released_day(release, zone) == day
    assert last_released_day(release - timedelta(microseconds=1), zone) == day - timedelta(days=1)


def test_korea_is_cut_at_the_break():
    batches = week_batches(date(2025, 6, 16), date(2025, 8, 31), anchor=date(2025, 7, 24))
    assert batches[0] == (date(2025, 6, 16), date(2025, 6, 18))
    assert (date(2025, 7, 17), date(2025, 7, 23)) in batches
    assert (date(2025, 7, 24), date(2025, 7, 30)) in batches
    assert batches[-1] == (date(2025, 8, 28), date(2025, 8, 31))


@given(DAYS, st.integers(0, 120), st.integers(-100, 100), st.integers(1, 10))
def test_batches_cover_every_day_once(first, length, shift, size):
    last = first + timedelta(days=length)
    batches = week_batches(first, last, first + timedelta(days=shift), size)
    days = [start + timedelta(days=n) for start, end in batches for n in range((end - start).days + 1)]
    assert days == [first + timedelta(days=n) for n in range(length + 1)]
