"""`evergreen load movies`, and playing ratings: batches coarse enough, and how good lists are without a stack."""

from __future__ import annotations

import json
from datetime import date, datetime
from inspect import signature
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evergreen.cli.main import app, register_commands
from evergreen.cli.movies import load_movies, movie_batches, simulated_batches
from evergreen.core.errors import EvergreenError
from evergreen.settings import load_settings

RATINGS = "userId,movieId,rating,timestamp\n1,10,4.0,964982703\n1,11,4.0,1000000000\n1,12,4.0,1500000000\n2,10,3.0,never\n"
MOVIES = "movieId,title,genres\n10,Ten (1979),Comedy\n11,Eleven,Drama\n12,Twelve,Drama\n"


def folder_of(tmp_path: Path) -> Path:
    (tmp_path / "ratings.csv").write_text(RATINGS)
    (tmp_path / "movies.csv").write_text(MOVIES)
    return tmp_path


def test_years_in_a_batch_each_and_what_has_no_day_with_the_last(tmp_path: Path) -> None:
    batches = movie_batches(folder_of(tmp_path), None, None, 365)
    assert [(batch.first_day, len(batch.rows)) for batch in batches] == [(date(2000, 7, 30), 1), (date(2001, 7, 30), 1), (date(2016, 7, 26), 2)]
    assert "day" not in batches[0].rows.columns


def test_days_asked_for(tmp_path: Path) -> None:
    (batch,) = movie_batches(folder_of(tmp_path), datetime(2001, 1, 1), datetime(2002, 1, 1), 30)  # noqa: DTZ001 - as typer gives them
    assert (batch.first_day, batch.rows["movie_id"].tolist()) == (date(2001, 9, 9), ["11", "10"]), "what has no day goes along"
    with pytest.raises(EvergreenError, match="holds no rating in 2005-01-01"):
        movie_batches(tmp_path, datetime(2005, 1, 1), datetime(2006, 1, 1), 30)  # noqa: DTZ001


def test_simulated_days_are_batches_too() -> None:
    batches = simulated_batches(date(2025, 1, 1), date(2025, 1, 4), 7, date(2025, 1, 3), 1)
    assert [batch.first_day.day for batch in batches] == [1, 2, 3, 4]


def test_a_hundred_thousand_real_ratings_are_a_dozen_batches() -> None:
    folder = load_settings().test_data / "movielens" / "ml-latest-small"
    if not folder.is_dir():
        pytest.skip("no real ratings on this machine")
    batches = movie_batches(folder, None, None, signature(load_movies).parameters["batch_days"].default)
    assert len(batches) <= 12
    assert sum(len(batch.rows) for batch in batches) == 100_836


def test_figures_are_shown_without_a_stack() -> None:
    if not app.registered_groups:
        register_commands()
    shown = CliRunner().invoke(app, ["movies", "evaluate", "--json"])
    assert shown.exit_code == 0, shown.output
    found = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [one["split"] for one in found] == ["per user", "by time"]
    assert all(one[lists]["ndcg_at_10"] > one["popular"]["ndcg_at_10"] for one in found for lists in ("movie_recommender", "as served"))
    assert "no folder given" in shown.stderr
