"""Made-up users and sessions: seeded, in the loaders' form, learnable, and another world after the break."""

from __future__ import annotations

from datetime import date

import pandas as pd

from evergreen.domains.movies.offline import compared, per_user
from evergreen.domains.movies.simulator import PER_TASTE, simulate
from tests.support.movies import BREAK, FIRST, LAST


def test_equal_arguments_give_equal_rows_and_the_break_changes_nothing_before_it(received: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(received, simulate(FIRST, LAST, break_on=BREAK, users=150, sessions=30))
    calm = simulate(FIRST, LAST, users=150, sessions=30)
    before = received["day"] < pd.Timestamp(BREAK)
    pd.testing.assert_frame_equal(received[before], calm[calm["day"] < pd.Timestamp(BREAK)])
    assert not simulate(FIRST, LAST, seed=8, users=150, sessions=30).equals(calm)


def test_a_user_rates_a_movie_once_on_days_asked_for(received: pd.DataFrame) -> None:
    assert not received.duplicated(["user_id", "movie_id"]).any()
    assert received["day"].dt.date.between(FIRST, LAST).all()
    assert received["day"].nunique() == (LAST - FIRST).days + 1
    assert received["rating"].between(0.5, 5).all()


def test_new_movies_come_with_the_break(received: pd.DataFrame) -> None:
    is_new = (received["movie_id"].astype(int) - 1) % (PER_TASTE + PER_TASTE // 2) >= PER_TASTE
    after = received["day"] >= pd.Timestamp(BREAK)
    assert not is_new[~after].any()
    assert is_new[after].mean() > 0.5


def test_a_history_tells_more_than_popularity(training: pd.DataFrame) -> None:
    found = compared(per_user(training))
    assert found["movie_recommender"].ndcg_at_10 > 1.5 * found["popular"].ndcg_at_10


def test_a_single_day() -> None:
    assert simulate(date(2025, 1, 1), date(2025, 1, 1), sessions=2)["day"].nunique() == 1
