"""Figures of the recommendations page say what their rows say."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.charts.recommendations import GENRES, preferences, rates


def test_the_most_liked_genre_is_on_top_and_dislikes_go_to_the_left() -> None:
    figure = preferences([{"genre": "Drama", "preference": 0.4}, {"genre": "Horror", "preference": -0.2}], axis="Preference")
    [bars] = figure.data
    assert (list(bars.y), list(bars.x)) == (["Horror", "Drama"], [-0.2, 0.4])
    assert figure.layout.xaxis.title.text == "Preference"
    assert figure.layout.xaxis.range[0] < -0.2


def test_many_genres_are_cut_to_the_strongest() -> None:
    rows = [{"genre": f"g{at}", "preference": at / 100} for at in range(30)]
    [bars] = preferences(rows, axis="").data
    assert len(bars.y) == GENRES
    assert bars.y[-1] == "g29"
    assert preferences([], axis="").data[0].y == ()


def test_each_group_has_its_point_and_interval() -> None:
    variants: list[dict[str, Any]] = [
        {"name": "control", "ctr": {"point": 0.10, "low": 0.08, "high": 0.13}},
        {"name": "b", "ctr": {"point": 0.12, "low": 0.09, "high": 0.16}},
        {"name": "c", "ctr": None},
    ]
    [points] = rates(variants, axis="CTR").data
    assert list(points.y) == ["b", "control"]
    assert list(points.error_x.array) == pytest.approx([0.04, 0.03])
    assert list(points.error_x.arrayminus) == pytest.approx([0.03, 0.02])
