"""`evergreen load` announces what is released, and nothing earlier: a batch announced too early could never be taken in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest

from evergreen.cli.batches import cut, released
from evergreen.core.errors import EvergreenError

FIRST = date(2025, 7, 1)
RELEASE = datetime(2025, 7, 11, 0, 0, tzinfo=UTC)
"""Of the list of 10 July: nine o'clock in Seoul, the day after."""


def lists(days: int) -> pd.DataFrame:
    return pd.DataFrame({"list_date": pd.date_range(FIRST, periods=days)})


def spans(now: datetime, said: list[str] | None = None) -> list[tuple[int, int, int]]:
    """(first day, last day, rows) of what is left of two weeks, at `now`."""
    left = released(cut(lists(14), FIRST, date(2025, 7, 14), 7), now, (said if said is not None else []).append)
    return [(one.first_day.day, one.last_day.day, len(one.rows)) for one in left]


def test_released_days_are_all_announced() -> None:
    said: list[str] = []
    assert spans(datetime(2025, 7, 15, 0, 0, tzinfo=UTC), said) == [(1, 7, 7), (8, 14, 7)]
    assert said == []


def test_a_batch_is_cut_where_its_days_are_not_released() -> None:
    said: list[str] = []
    assert spans(RELEASE, said) == [(1, 7, 7), (8, 10, 3)]
    assert said == ["warning: the lists of 2025-07-11 and later are left out: that day's is released at 2025-07-12T00:00Z, load it then"]
    assert spans(RELEASE - timedelta(seconds=1)) == [(1, 7, 7), (8, 9, 2)]


def test_a_batch_none_of_whose_days_is_released_is_left_out() -> None:
    assert spans(datetime(2025, 7, 8, 0, 0, tzinfo=UTC)) == [(1, 7, 7)]


def test_when_nothing_is_released_it_says_when_it_will_be() -> None:
    with pytest.raises(EvergreenError, match="released at 2025-07-02T00:00Z"):
        spans(datetime(2025, 7, 1, 12, 0, tzinfo=UTC))


def test_a_row_without_a_day_stays_to_be_set_aside_with_a_reason() -> None:
    early, late = cut(lists(14), FIRST, date(2025, 7, 14), 7)
    strays = pd.DataFrame({"list_date": [pd.NaT]})
    said: list[str] = []
    late = replace(late, rows=pd.concat([late.rows, strays], ignore_index=True))

    (left,) = released([early, late], datetime(2025, 7, 8, 0, 0, tzinfo=UTC), said.append)

    assert len(left.rows) == 8
    assert left.rows["list_date"].isna().sum() == 1
