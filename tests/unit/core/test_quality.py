from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.core.quality import LEAST_HISTORY_DAYS, volume_of
from evergreen.core.severity import Severity

MONDAY = date(2025, 3, 3)
DAYS = [MONDAY - timedelta(days=back) for back in range(1, 29)]
OFFICE = [(day, 100 if day.weekday() < 5 else 10) for day in DAYS]
"""Little comes at the weekend."""


@pytest.mark.parametrize(
    ("day", "rows", "severity"),
    [
        pytest.param(MONDAY, 100, None, id="a-monday"),
        pytest.param(MONDAY, 40, Severity.MEDIUM, id="a-thin-monday"),
        pytest.param(MONDAY, 14, Severity.HIGH, id="a-monday-like-a-sunday"),
        pytest.param(MONDAY + timedelta(days=5), 10, None, id="a-saturday"),
        pytest.param(MONDAY + timedelta(days=5), 4, Severity.MEDIUM, id="a-thin-saturday"),
        pytest.param(MONDAY + timedelta(days=5), 1, Severity.HIGH, id="an-empty-saturday"),
        pytest.param(MONDAY + timedelta(days=5), 100, None, id="a-saturday-like-a-monday"),
        pytest.param(MONDAY, 301, Severity.HIGH, id="three-times-as-many"),
    ],
)
def test_a_quiet_weekday_is_compared_with_its_like(day: date, rows: int, severity: Severity | None) -> None:
    found = volume_of(day, rows, OFFICE)
    assert (None if found is None else found.severity) == severity


@given(st.lists(st.integers(1, 10**6), max_size=LEAST_HISTORY_DAYS - 1), st.integers(0, 10**9))
def test_less_than_a_week_is_no_measure(counts: list[int], rows: int) -> None:
    assert volume_of(MONDAY, rows, list(zip(DAYS, counts, strict=False))) is None


@given(st.lists(st.integers(1, 10**6), min_size=LEAST_HISTORY_DAYS, max_size=28), st.integers(0, 10**7))
def test_more_rows_are_never_worse_until_there_are_too_many(counts: list[int], rows: int) -> None:
    history = list(zip(DAYS, counts, strict=False))
    here, more = volume_of(MONDAY, rows, history), volume_of(MONDAY, rows + 1, history)
    if more is not None and more.rows < more.usual:
        assert here is not None
        assert here.severity >= more.severity
    if here is not None and here.rows > here.usual:
        assert more is not None
