"""`evergreen load` announces what is released, and nothing earlier: a batch announced too early could never be taken in."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest

from evergreen.cli.data import cut, released
from evergreen.core.errors import EvergreenError

FIRST = date(2025, 7, 1)
RELEASE = datetime(2025, 7, 11, 0, 0, tzinfo=UTC)
"""Of the list of 10 July: nine o'clock in Seoul, the day after."""


def lists(days: int) -> pd.DataFrame:
    return pd.DataFrame({"list_date": pd.date_range(FIRST, periods=days)})


def spans(now: datetime) -> list[tuple[int, int, int]]:
    """(first day, last day, rows) of what is left of two weeks, at `now`."""
    return [(one.first_day.day, one.last_day.day, len(one.rows)) for one in released(cut(lists(14), FIRST, date(2025, 7, 14), 7), now)]


def test_released_days_are_all_announced(capsys: pytest.CaptureFixture[str]) -> None:
    assert spans(datetime(2025, 7, 15, 0, 0, tzinfo=UTC)) == [(1, 7, 7), (8, 14, 7)]
    assert capsys.readouterr().err == ""


def test_a_batch_is_cut_where_its_days_are_not_released(capsys: pytest.CaptureFixture[str]) -> None:
    assert spans(RELEASE) == [(1, 7, 7), (8, 10, 3)]
    assert "the lists of 2025-07-11 and later are left out: that day's is released at 2025-07-12T00:00Z" in capsys.readouterr().err
    assert spans(RELEASE - timedelta(seconds=1)) == [(1, 7, 7), (8, 9, 2)]


def test_a_batch_none_of_whose_days_is_released_is_left_out() -> None:
    assert spans(datetime(2025, 7, 8, 0, 0, tzinfo=UTC)) == [(1, 7, 7)]


def test_when_nothing_is_released_it_says_when_it_will_be() -> None:
    with pytest.raises(EvergreenError, match="released at 2025-07-02T00:00Z"):
        spans(datetime(2025, 7, 1, 12, 0, tzinfo=UTC))
