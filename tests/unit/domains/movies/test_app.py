"""Recorded ratings as the live interactions they would have been."""

from __future__ import annotations

import pandas as pd

from evergreen.domains.movies.app import MovieApp
from evergreen.domains.movies.names import kind_of_rating


def test_ratings_as_interactions() -> None:
    kinds = [kind_of_rating(rating) for rating in (5.0, 4.5, 4.0, 3.5, 3.0, 2.5, 0.5)]
    assert kinds == [
        "high_rating",
        "high_rating",
        "like",
        "click",
        "click",
        "view",
        "view",
    ]


def test_what_is_sent_of_a_rating_and_in_which_order(received: pd.DataFrame) -> None:
    app = MovieApp()
    bad = received.head(3).assign(movie_id="none")
    rows = app.first_listed(pd.concat([received.head(40).iloc[::-1], bad], ignore_index=True))
    assert len(rows) == 40
    assert rows["at"].is_monotonic_increasing
    records = [dict(zip(map(str, rows.columns), values, strict=True)) for values in rows.itertuples(index=False)]
    row = records[0]
    asked = app.request(row)
    assert asked["body"] == {
        "user_id": row["user_id"],
        "interaction_type": kind_of_rating(row["rating"]),
        "item_ids": [row["movie_id"]],
        "context": {"replayed": True, "at": row["at"].isoformat(), "rating": row["rating"]},
    }
    assert len({app.request(one)["key"] for one in records}) == 40
    assert asked == app.request(row)
    assert app.outcome(row) is None
    assert app.first_listed(bad).empty
    live = app.request(row | {"interaction": "purchase", "rating": float("nan")})["body"]
    assert (live["interaction_type"], "rating" in live["context"]) == ("purchase", False)


def test_nothing_with_a_time_is_nothing_to_send() -> None:
    assert MovieApp().first_listed(pd.DataFrame({"user_id": ["a"], "movie_id": ["1"], "at": ["never"]})).empty
