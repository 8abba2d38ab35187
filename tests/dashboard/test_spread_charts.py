"""Curves are drawn as they come, with the threshold, and a prediction where it stands."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.charts.comparison import categories, effects, hours
from dashboard.charts.spread import Labels, Mark, cumulative, density, height_at, share_above

X, CDF, PDF = [0.0, 50.0, 100.0], [0.0, 0.25, 1.0], [0.005, 0.01, 0.015]
LABELS = Labels("A title", "Performance (0–100)", "Share", "≥ 90: 15 %")


def ranking(**more: Any) -> dict[str, Any]:
    return {"n": 30, "mean": 50.0, "low": 40.0, "high": 60.0, "share_above": 0.2, **more}


@pytest.mark.parametrize(("draw", "values"), [(cumulative, CDF), (density, PDF)])
def test_a_curve_has_the_apis_points_a_title_units_and_the_threshold(draw, values) -> None:
    figure = draw(X, values, LABELS, threshold=90.0)
    assert (list(figure.data[0].x), list(figure.data[0].y)) == (X, values)
    assert (figure.layout.title.text, figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("A title", "Performance (0–100)", "Share")
    [line] = figure.layout.shapes
    assert (line.x0, line.x1) == (90.0, 90.0)
    assert figure.layout.annotations[0].text == "≥ 90: 15 %"
    assert figure.layout.paper_bgcolor is None


def test_a_prediction_is_a_marker_on_the_curve_and_its_interval_a_band() -> None:
    figure = cumulative(X, CDF, LABELS, marks=[Mark(75.0, "Prediction", 60.0, 90.0), Mark(20.0, "Changed")])
    first, second = figure.data[1:]
    assert (first.x[0], first.y[0]) == (75.0, 0.625)
    assert (second.x[0], second.y[0]) == (20.0, 0.1)
    assert [(shape.x0, shape.x1) for shape in figure.layout.shapes if shape.type == "rect"] == [(60.0, 90.0)]


@pytest.mark.parametrize(("at", "share"), [(-5.0, 1.0), (0.0, 1.0), (50.0, 0.75), (75.0, 0.375), (100.0, 0.0), (120.0, 0.0)])
def test_how_many_lie_above_is_read_off_the_curve(at: float, share: float) -> None:
    assert share_above(X, CDF, at) == pytest.approx(share)


@given(st.floats(0, 100))
def test_between_two_points_a_curve_is_between_their_values(at: float) -> None:
    assert 0.0 <= height_at(X, CDF, at) <= 1.0


def test_categories_are_bars_with_intervals_and_a_small_one_is_pale() -> None:
    figure = categories([ranking(), ranking(n=3)], ["<b>음악</b>", "Gaming"], LABELS)
    [bars] = figure.data
    assert bars.y == ("&lt;b&gt;음악&lt;/b&gt;", "Gaming")
    assert (bars.error_x.array[0], bars.error_x.arrayminus[0]) == (10.0, 10.0)
    assert bars.marker.opacity == (1.0, 0.4)


def test_hours_are_in_the_order_of_the_day() -> None:
    assert list(hours([ranking(hour=18), ranking(hour=3)], LABELS).data[0].x) == [3, 18]


def test_an_effect_is_a_share_of_the_views() -> None:
    [bars] = effects([{"factor": 1.25, "value": 1, "usual": 2}, {"factor": 0.5, "value": 1, "usual": 2}], ["a", "b"], LABELS).data
    assert list(bars.x) == [0.25, -0.5]
    assert bars.marker.color[0] != bars.marker.color[1]
