"""Which windows a drift check looks at."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from evergreen.contracts.events import Window
from evergreen.ports.versions import VersionRow
from evergreen.services.drift_windows import checkable, report_id, windows_of

TRAINED_TO = date(2025, 6, 15)
VERSION = VersionRow("video_performance", 1, None, "run", "uri", "bootstrap", date(2025, 2, 23), TRAINED_TO, 1500, datetime(2025, 6, 16, tzinfo=UTC))


def window(first: date, last: date) -> Window:
    return Window(first_day=first, last_day=last)


def test_merged_windows_come_once_each_in_order():
    days = [("2025-07-03", "2025-07-09"), ("2025-06-26", "2025-07-02"), ("2025-07-03", "2025-07-09")]
    found = windows_of({"windows": [{"first_day": first, "last_day": last} for first, last in days]}, date(2025, 7, 20))
    assert [str(one.first_day) for one in found] == ["2025-06-26", "2025-07-03"]


def test_an_action_that_names_no_window_looks_at_the_newest_week():
    assert windows_of({"windows": []}, date(2025, 7, 20)) == [window(date(2025, 7, 14), date(2025, 7, 20))]


@pytest.mark.parametrize(
    ("first", "last", "looked_from"),
    [
        pytest.param(date(2025, 7, 3), date(2025, 7, 9), date(2025, 7, 3), id="a-week-alone"),
        pytest.param(date(2025, 7, 1), date(2025, 7, 14), date(2025, 7, 1), id="longer-alone"),
        pytest.param(date(2025, 7, 9), date(2025, 7, 9), date(2025, 7, 3), id="a-day-with-its-week"),
        pytest.param(date(2025, 6, 18), date(2025, 6, 18), date(2025, 6, 16), id="never-into-the-training"),
        pytest.param(date(2025, 6, 12), date(2025, 6, 18), date(2025, 6, 16), id="only-what-is-new"),
    ],
)
def test_what_a_window_is_looked_at_with(first: date, last: date, looked_from: date):
    [chosen], skipped = checkable([window(first, last)], VERSION, date(2025, 7, 31))
    assert (chosen.looked_from, skipped) == (looked_from, {})
    assert (chosen.window.first_day, chosen.window.last_day) == (first, last)


def test_neither_the_future_nor_the_training_is_looked_at():
    windows = [window(date(2025, 6, 9), TRAINED_TO), window(date(2025, 7, 3), date(2025, 7, 9))]
    assert checkable(windows, VERSION, date(2025, 7, 8)) == ([], {"2025-06-09..2025-06-15": "in_training", "2025-07-03..2025-07-09": "not_released"})


def test_a_report_has_one_id_whoever_makes_it():
    week = window(date(2025, 7, 3), date(2025, 7, 9))
    assert report_id("m@1", week) == report_id("m@1", week)
    assert len({report_id("m@1", week), report_id("m@2", week), report_id("m@1", window(date(2025, 7, 3), date(2025, 7, 10)))}) == 3
