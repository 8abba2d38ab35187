"""What of a batch enters silver: ratings and live interactions, told apart from what nobody can use."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pandas as pd
import pytest

from evergreen.core.severity import Severity
from evergreen.domains.movies.dataset import movie_dataset
from evergreen.domains.movies.names import SILVER
from evergreen.ports.dataset import Checked

AT = datetime(2025, 3, 1, 20, tzinfo=UTC)
GOOD: dict[str, Any] = {"user_id": "u1", "movie_id": "7", "rating": 4.0, "at": AT, "title": "Seven", "genres": "Drama", "year": 1995}


def checked(*rows: dict[str, Any]) -> Checked:
    return movie_dataset().validate(pd.DataFrame([GOOD | row for row in rows]), date(2025, 3, 2))


def test_a_rating_as_silver_has_it() -> None:
    found = checked({})
    assert found.clean.dtypes.astype(str).to_dict() == SILVER
    assert found.clean.iloc[0].to_dict() | {"source": None} == {
        "day": pd.Timestamp("2025-03-01"),
        "at": pd.Timestamp("2025-03-01T20:00Z"),
        "interaction_id": "u1:7",
        "user_id": "u1",
        "movie_id": "7",
        "interaction": "rating",
        "rating": 4.0,
        "source": None,
        "title": "Seven",
        "genres": "Drama",
        "year": 1995.0,
    }


def test_live_interactions_need_no_rating() -> None:
    found = checked({"interaction": "click", "rating": None}, {"interaction": "view", "rating": None, "movie_id": "8"})
    assert (len(found.clean), found.severity) == (2, None)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param("2025-03-01T20:00:00Z", id="zone"),
        pytest.param("2025-03-01 20:00", id="no-zone"),
        pytest.param("1740859200", id="seconds-as-text"),
        pytest.param(1740859200, id="seconds"),
        pytest.param(1740859200.0, id="seconds-as-float"),
        pytest.param(pd.Timestamp("2025-03-01T20:00Z"), id="instant"),
    ],
)
def test_times_in_every_spelling(said: Any) -> None:
    assert checked({"at": said}).clean["at"].tolist() == [pd.Timestamp("2025-03-01T20:00Z")]


def test_ids_that_came_as_numbers() -> None:
    found = checked({"user_id": 12, "movie_id": 7.0})
    assert found.clean["interaction_id"].tolist() == ["12:7"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        pytest.param({"user_id": None}, "user_id: missing", id="no-user"),
        pytest.param({"user_id": "a b"}, "user_id: not 1 to 80", id="space"),
        pytest.param({"movie_id": "tt001"}, "movie_id: not a whole number", id="movie"),
        pytest.param({"movie_id": None}, "movie_id: missing", id="no-movie"),
        pytest.param({"at": "soon"}, "at: missing, or no time", id="time"),
        pytest.param({"at": "2025-03-03"}, "at: after 2025-03-02", id="future"),
        pytest.param({"rating": None}, "rating: missing", id="no-rating"),
        pytest.param({"rating": float("inf")}, "rating: missing, or no number", id="infinite"),
        pytest.param({"rating": 0}, "rating: out of range", id="range"),
        pytest.param({"interaction": "stare"}, "interaction: none of", id="kind"),
    ],
)
def test_what_is_set_aside_and_why(row: dict[str, Any], reason: str) -> None:
    found = checked({"movie_id": "9"}, row)
    assert found.clean["movie_id"].tolist() == ["9"]
    assert found.quarantined["reason"].str.startswith(reason).tolist() == [True]
    assert {"interaction_id", "day"} <= set(found.quarantined.columns), "of whom and when it was lost"


def test_the_same_moment_again_is_kept_once_and_another_moment_too() -> None:
    found = checked({}, {"rating": 3.0}, {"at": "2025-03-01T20:05Z"})
    assert found.clean["rating"].tolist() == [3.0, 4.0]
    assert found.quarantined["reason"].tolist() == ["interaction_id: the same user, movie and moment again"]


def test_a_frame_of_something_else_is_all_quarantined() -> None:
    found = movie_dataset().validate(pd.DataFrame({"video_id": ["x", "y"]}), date(2025, 3, 2))
    assert (len(found.clean), len(found.quarantined), found.severity) == (0, 2, Severity.HIGH)
    assert movie_dataset().validate(pd.DataFrame(), date(2025, 3, 2)).clean.empty
