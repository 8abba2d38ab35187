"""One row per first positive interaction, which sees what came before it and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd

from evergreen.domains.movies.dataset import movie_dataset
from evergreen.domains.movies.features import build_features
from evergreen.domains.movies.names import AT, ENTITY, HISTORY, MOVIE, RECENT, TIME, USER, WATCHED

START = datetime(2025, 3, 1, 12, tzinfo=UTC)


def silver_of(*said: tuple[str, int, float | str, float], genres: Mapping[int, str] | None = None) -> pd.DataFrame:
    """(user, movie, rating or kind, hours after START)."""
    rows: list[dict[str, Any]] = []
    for user, movie, what, hours in said:
        kind = {"rating": what, "interaction": "rating"} if isinstance(what, float) else {"rating": None, "interaction": what}
        rows.append(
            {
                "user_id": user,
                "movie_id": movie,
                "at": START + timedelta(hours=hours),
                "genres": (genres or {}).get(movie, "Drama"),
                "year": 2000,
                "title": f"M{movie}",
                **kind,
            }
        )
    found = movie_dataset().validate(pd.DataFrame(rows), date(2025, 12, 31))
    assert found.quarantined.empty
    return found.clean.sample(frac=1.0, random_state=1)


def test_what_is_positive_and_in_which_order() -> None:
    ratings = (("a", 1, 5.0, 0), ("a", 2, 3.5, 2), ("a", 2, 4.0, 24))
    table = build_features(silver_of(*ratings, ("b", 1, "click", 1), ("a", 3, "view", 3), ("a", 1, "purchase", 48)))
    assert table[[ENTITY, "since_last", "recent_1", "relevant"]].fillna(-1).to_numpy().tolist() == [
        ["a:1", -1.0, -1.0, 1.0],
        ["b:1", -1.0, -1.0, 1.0],
        ["a:2", 1.0, 1.0, 1.0],
    ], "a low rating and a view are no rows, and a movie counts once per user"
    assert table["popularity"].tolist() == [0.0, 1.0, 0.0]


def test_the_newest_fifty_come_first() -> None:
    table = build_features(silver_of(*((("a", movie, 4.0, movie / 10)) for movie in range(1, HISTORY + 4))))
    last = table.iloc[-1]
    assert last[list(RECENT)].tolist() == list(range(HISTORY + 2, 2, -1))


def test_a_row_does_not_change_when_later_days_are_known(silver: pd.DataFrame) -> None:
    day = pd.Timestamp("2025-02-05")
    early, whole = build_features(silver[silver[TIME] <= day]), build_features(silver)
    pd.testing.assert_frame_equal(early, whole[whole[TIME] <= day].reset_index(drop=True))


def test_histories_are_those_of_a_plain_loop(table: pd.DataFrame) -> None:
    seen: dict[str, list[float]] = {}
    for row in table[[USER, MOVIE, AT, *RECENT]].itertuples(index=False):
        known = [value for value in row[3:] if value == value]
        history = seen.setdefault(row[0], [])
        assert known == history[: -HISTORY - 1 : -1]
        history.append(row[1])
    assert table[AT].is_monotonic_increasing


def test_what_is_watched_for_drift() -> None:
    ratings = [("a", 1, 4.0, 0), ("a", 2, 4.0, 1), ("b", 3, 4.0, 24 * 40), ("b", 1, 4.0, 24 * 41), ("a", 3, 4.0, 24 * 42)]
    table = build_features(silver_of(*ratings, genres={3: "Western|War"}))
    assert table["days_known"].tolist() == [28.0, 28.0, 0.0, 28.0, 2.0], "what is there when the record begins is not new"
    assert table["in_taste"].fillna(-1).tolist() == [-1.0, 1.0, -1.0, 0.0, 0.0]
    assert table["genre"].tolist() == [7.0, 7.0, 18.0, 7.0, 18.0]
    assert table["popularity"].tolist() == [0.0, 0.0, 0.0, 1.0, 1.0]
    assert set(WATCHED) <= set(table.columns)
