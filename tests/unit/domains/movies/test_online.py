"""What serving is told of users of batches."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd

from evergreen.core.earlier import earlier_of, entity_of
from evergreen.core.recommending import HISTORY, OWNED
from evergreen.domains.movies.dataset import movie_dataset
from evergreen.domains.movies.names import AT, ENTITY, MOVIE, RATING, USER

BEGIN, LAST = datetime(2020, 1, 1, tzinfo=UTC), date(2026, 1, 1)
DATASET = movie_dataset()


def silver(*rows: tuple[str, str, str, float | None]) -> pd.DataFrame:
    """(user, movie, interaction, rating), an hour apart."""
    told = pd.DataFrame(rows, columns=[USER, MOVIE, "interaction", "rating"])
    return DATASET.validate(told.assign(**{AT: [BEGIN + timedelta(hours=at) for at in range(len(rows))]}), LAST).clean


def test_what_was_liked_last_and_all_that_was_rated() -> None:
    rows = silver(
        ("ann", "1", RATING, 5.0),
        ("ann", "2", RATING, 4.0),
        ("ann", "3", RATING, 3.0),
        ("ann", "4", RATING, 1.0),
        ("ann", "5", "click", None),
        ("ann", "6", "view", None),
        ("ann", "7", "purchase", None),
        ("ann", "1", RATING, 2.0),
        ("a:b", "2", RATING, 4.5),
        ("eve", "2", RATING, 4.5),
        ("ivy", "2", "view", None),
    )
    found = {one.entity: one for one in DATASET.online(rows, ["ann:1", "ann:2", "a:b:2", "ivy:2"])}
    assert set(found) == {entity_of("ann"), entity_of("a:b")}, "nobody else is told of, and of ivy there is nothing"
    ann = earlier_of(found["user:ann"].features)
    assert [(touched.item, touched.kind) for touched in ann.history] == [("7", "purchase"), ("5", "click"), ("2", "like")]
    assert ann.history[0].at == BEGIN + timedelta(hours=6)
    assert ann.owned == {"1", "2", "3", "4", "7"}
    assert found["user:ann"].day == BEGIN.date()
    assert [touched.kind for touched in earlier_of(found["user:a:b"].features).history] == ["high_rating"]


def test_an_entry_is_bounded_and_keeps_the_newest() -> None:
    rows = silver(*(("ann", str(movie), RATING, 4.0) for movie in range(OWNED + 300)))
    [found] = DATASET.online(rows, rows[ENTITY].tolist())
    assert [item for item, _, _ in found.features["history"]] == [str(OWNED + 299 - at) for at in range(HISTORY)]
    assert found.features["owned"] == [str(OWNED + 299 - at) for at in range(OWNED)]


def test_a_hundred_thousand_ratings_take_a_few_seconds_at_most() -> None:
    draw = np.random.default_rng(5)
    users, movies = draw.integers(0, 610, 100_836), draw.integers(0, 9_000, 100_836)
    told = pd.DataFrame({USER: users.astype(str), MOVIE: movies.astype(str), "rating": draw.integers(1, 11, len(users)) / 2})
    rows = DATASET.validate(told.assign(**{AT: pd.Timestamp(BEGIN) + pd.to_timedelta(np.arange(len(users)), unit="min")}), LAST).clean
    begun = time.perf_counter()
    found = DATASET.online(rows, rows[ENTITY].unique().tolist())
    took = time.perf_counter() - begun
    print(f"\n{len(rows)} ratings of {len(found)} users: {took:.2f} s")  # noqa: T201 - the figure
    assert len(found) == 610
    assert took < 10
