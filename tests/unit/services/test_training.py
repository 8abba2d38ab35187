"""Which days train, which are held out, and that nothing younger is looked at."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from evergreen.core.errors import NotEnoughData
from evergreen.core.release import released_at
from evergreen.ports.model import Windows
from evergreen.services.training import feature_table, fit_candidate, read_silver, train_candidate, training_window, window_since_change
from tests.support.tiny import BREAK, FIRST_DAY, PER_DAY, FrameLake, tiny_rows, tiny_spec

SPEC = tiny_spec()
ROWS = tiny_rows(90)


def day(number: int) -> date:
    return FIRST_DAY + timedelta(days=number)


def test_the_last_seven_list_days_are_held_out() -> None:
    candidate = train_candidate(SPEC, ROWS, released_at(day(39)))
    assert (candidate.window.train_first, candidate.window.train_last) == (day(0), day(32))
    assert (candidate.window.evaluation_first, candidate.window.evaluation_last) == (day(33), day(39))
    assert (candidate.rows, len(candidate.evaluation)) == (33 * PER_DAY, 7 * PER_DAY)
    assert set(candidate.train["entity"]).isdisjoint(candidate.evaluation["entity"])


@pytest.mark.parametrize(
    ("as_of", "last"),
    [
        pytest.param(datetime(2025, 2, 10, 0, 0, tzinfo=UTC), date(2025, 2, 9), id="at-nine-in-Seoul-yesterdays-list-is-known"),
        pytest.param(datetime(2025, 2, 9, 23, 59, tzinfo=UTC), date(2025, 2, 8), id="a-minute-before-it-is-not"),
    ],
)
def test_a_list_is_looked_at_from_its_release_on(as_of: datetime, last: date) -> None:
    assert train_candidate(SPEC, ROWS, as_of).window.evaluation_last == last


def test_days_without_a_list_are_skipped_not_counted() -> None:
    gap = ROWS[~ROWS["day"].dt.date.isin([day(34), day(35)])]
    window = train_candidate(SPEC, gap, released_at(day(39))).window
    assert (window.evaluation_first, window.evaluation_last, window.train_last) == (day(31), day(39), day(30))


def test_what_came_later_changes_nothing() -> None:
    as_of = released_at(day(39))
    later = ROWS.assign(y=ROWS["y"].where(ROWS["day"].dt.date <= day(39), 1e6))
    one, other = train_candidate(SPEC, ROWS, as_of), train_candidate(SPEC, later.sample(frac=1.0, random_state=3), as_of)
    assert one.dataset_hash == other.dataset_hash
    assert one.metrics == other.metrics
    assert read_silver(FrameLake(ROWS), SPEC, as_of)["day"].max() == pd.Timestamp(day(39))


def test_training_starts_at_the_change_once_enough_rows_came_after_it() -> None:
    before = training_window(SPEC, feature_table(SPEC, ROWS, released_at(BREAK + timedelta(days=20))), BREAK)
    after = training_window(SPEC, feature_table(SPEC, ROWS, released_at(BREAK + timedelta(days=21))), BREAK)
    assert (before.train_first, before.change_point) == (FIRST_DAY, None)  # 14 days x 20 = 280 rows
    assert (after.train_first, after.change_point) == (BREAK, BREAK)  # 15 x 20 = 300


def test_the_held_out_days_do_not_count_for_the_change() -> None:
    spec = replace(SPEC, windows=Windows(min_change_rows=PER_DAY * 3, evaluation_days=7))
    window = training_window(spec, feature_table(spec, ROWS, released_at(BREAK + timedelta(days=8))), BREAK)
    assert window.change_point is None


def test_after_the_break_the_retrained_one_is_right() -> None:
    as_of = released_at(BREAK + timedelta(days=25))
    table = feature_table(SPEC, ROWS, as_of)
    fresh = fit_candidate(SPEC, table, training_window(SPEC, table, BREAK))
    stale = fit_candidate(SPEC, table, training_window(SPEC, table))
    assert fresh.metrics["mae_y"] < 0.12 < stale.metrics["mae_y"]
    assert fresh.metrics["evaluation_rows"] == 7 * PER_DAY


def test_rows_without_an_outcome_neither_train_nor_judge() -> None:
    holes = ROWS.assign(y=ROWS["y"].where(np.arange(len(ROWS)) % 2 == 0))
    candidate = train_candidate(SPEC, holes, released_at(day(39)))
    assert (candidate.rows, len(candidate.evaluation)) == (33 * PER_DAY // 2, 7 * PER_DAY // 2)


@pytest.mark.parametrize("days", [3, 7, 9])
def test_too_little_data_says_how_much_is_there(days: int) -> None:
    with pytest.raises(NotEnoughData, match=r"needed"):
        train_candidate(SPEC, tiny_rows(days), released_at(day(days)))


def test_the_newest_change_with_enough_rows_is_taken_else_an_older_one_else_everything() -> None:
    table = feature_table(SPEC, ROWS, released_at(BREAK + timedelta(days=25)))
    late = BREAK + timedelta(days=10)  # 9 days before the held-out week: 180 rows
    assert window_since_change(SPEC, table, [BREAK, late]).change_point == BREAK
    assert window_since_change(SPEC, table, [late]).change_point is None
    assert window_since_change(SPEC, table, []).train_first == FIRST_DAY
    assert window_since_change(SPEC, table, [day(5), BREAK]).change_point == BREAK
