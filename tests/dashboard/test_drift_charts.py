"""Charts of drift and quality: what is drawn is what was told, and what drifted is marked by more than a colour."""

from __future__ import annotations

from typing import Any

from dashboard.charts import drift as charts
from dashboard.formats import Formats
from dashboard.words import words
from tests.support.drifts import BARS, HEAT, HOSTILE, REPORTS, batches, distributions

T, KO, EN = words("en"), words("ko"), Formats("en")


def titled(figure: Any) -> tuple[str, str, str]:
    return figure.layout.title.text, figure.layout.xaxis.title.text, figure.layout.yaxis.title.text


def test_the_timeline_runs_from_the_oldest_window_on_one_line_per_model() -> None:
    figure = charts.timeline(T, EN, REPORTS)
    first, second = figure.data
    assert (first.name, list(first.x), list(first.y)) == ("video_performance", ["2025-07-30", "2025-08-06"], [0.02, 0.72])
    assert list(first.marker.color) == [charts.CALM, charts.DRIFTED]
    assert first.customdata[1][3] == "Category, Age at listing (hours)"
    assert second.name == "other"
    assert titled(figure) == ("Drift score over time", "last day of the window", "drift score")


def test_the_heat_map_has_the_feature_that_moved_most_on_top_and_marks_what_drifted() -> None:
    [heat] = charts.heat_map(KO, Formats("ko"), HEAT).data
    assert list(heat.y) == ["게시 시각", "카테고리"]  # drawn from below
    assert list(heat.x) == ["2025. 7. 30.", "2025. 8. 6."]
    assert [list(row) for row in heat.z] == [[None, 0.1], [0.0, 0.9]]
    assert [list(row) for row in heat.text] == [["", ""], ["", "×"]]
    assert (heat.zmin, heat.zmax) == (0, 1)


def test_windows_with_the_same_last_day_have_columns_of_their_own() -> None:
    twice = {**HEAT, "windows": [{**HEAT["windows"][0], "last_day": "2025-08-06", "version": "video_performance@2"}, HEAT["windows"][1]]}
    [heat] = charts.heat_map(T, EN, twice).data
    assert len(set(heat.x)) == 2


def test_distributions_stand_beside_each_other() -> None:
    figure = charts.distribution(T, distributions(), "ko")
    assert [list(bar.x) for bar in figure.data] == [[0.25, 0.25, 0.5], [0.5, 0.5, 0.0]]
    assert list(figure.data[0].y) == ["게임", "77", "others"]
    assert [bar.name for bar in figure.data] == ["training rows", "window"]


def test_bars_of_numbers_say_their_bounds() -> None:
    labels = [charts.bar_label(T, bar, numeric=True, language="en") for bar in BARS]
    assert labels == ["≤ 0.5", "0.5 – 3", "7", "> 12,345"]


def test_the_cumulative_curves_end_at_one() -> None:
    figure = charts.cumulative(T, distributions(numeric=True))
    assert [line.y[-1] for line in figure.data] == [1.0, 1.0]
    assert figure.layout.yaxis.tickformat == ".0%"


def test_names_of_the_data_are_no_tags() -> None:
    told = distributions()
    told["bars"][1]["label"] = HOSTILE
    assert charts.distribution(T, told, "ko").data[0].y[1] == "&lt;img src=x onerror=alert(1)&gt;"


def test_shares_set_aside_are_of_all_rows_that_came() -> None:
    [line] = charts.set_aside(T, EN, batches()).data
    assert list(line.y) == [0.0, 0.25]
    assert list(line.marker.color) == [charts.CALM, charts.DRIFTED]
