"""The performance page alone: which days and categories it asks for, and what it says where there is nothing."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from dashboard.pages.performance import page
from dashboard.parts.filters import newest, usual, whole
from tests.support.dashboard_stub import Stub, shown
from tests.support.dashboard_videos import ANSWERS, CATALOGUE, SPREAD

CURVES = ["performance-cdf", "performance-pdf", "engagement-cdf", "engagement-pdf"]


def asked_for(stub: Stub, path: str) -> list[dict[str, list[str]]]:
    return [{name: request.url.params.get_list(name) for name in request.url.params} for request in stub.asked if request.url.path == path]


@pytest.mark.parametrize("language", ["ko", "en"])
def test_it_begins_with_the_last_seven_days_of_the_data_music_and_gaming(language: str) -> None:
    stub = Stub(ANSWERS)
    ran = shown(page, stub, language=language)
    part = {"from": ["2025-07-14"], "to": ["2025-07-20"], "category": ["10", "20"]}
    by_metric = {asked["metric"][0]: asked for asked in asked_for(stub, "/distribution")}
    assert by_metric["performance"] == {"metric": ["performance"], "threshold": ["90"], **part}
    assert by_metric["engagement"] == {"metric": ["engagement"], "threshold": ["0.05"], **part}
    assert asked_for(stub, "/rankings") == [{"threshold": ["90"], **part}]
    assert asked_for(stub, "/movers") == [part]
    assert ran.title[0].value == {"ko": "실시간 비디오 성과 분석", "en": "Real-time video performance"}[language]
    assert [metric.value for metric in ran.metric] == ["120", "8.0%", "56.0", "5,500.00%"]
    assert (
        ran.sidebar.multiselect[0].options
        == {"ko": ["엔터테인먼트", "음악", "게임", "카테고리 99"], "en": ["Entertainment", "Music", "Gaming", "Category 99"]}[language]
    )
    assert ran.sidebar.date_input[0].max == date(2025, 7, 22)
    assert len(ran.get("plotly_chart")) == len(CURVES) + 2


def test_filters_change_what_is_asked_and_no_category_means_all() -> None:
    stub = Stub(ANSWERS)
    ran = shown(page, stub)
    ran.sidebar.multiselect[0].set_value([])
    ran.sidebar.slider[0].set_value(50)
    ran.sidebar.date_input[0].set_value((date(2025, 7, 2), date(2025, 7, 3)))
    stub.asked.clear()
    ran.run()
    [asked] = asked_for(stub, "/rankings")
    assert asked == {"threshold": ["50"], "from": ["2025-07-02"], "to": ["2025-07-03"]}


def test_without_videos_it_says_how_to_get_some() -> None:
    ran = shown(page, Stub({"GET /catalogue": {**CATALOGUE, "videos": 0, "first_day": None, "last_day": None, "categories": []}}))
    assert "no videos yet" in ran.markdown[0].value
    assert not ran.sidebar.slider


def test_a_selection_without_videos_says_so() -> None:
    nothing = {**SPREAD, "n": 0, "x": [], "cdf": [], "pdf": [], "share_above": None, "mean": None, "median": None}
    empty: dict[str, list[Any]] = {"categories": [], "hours": [], "movers": []}
    ran = shown(page, Stub({**ANSWERS, "GET /distribution": nothing, "GET /rankings": empty, "GET /movers": empty}))
    assert not ran.get("plotly_chart")
    assert [metric.value for metric in ran.metric] == ["0", "–", "–", "–"]


def test_without_a_champion_movers_are_still_shown() -> None:
    ran = shown(page, Stub({**ANSWERS, "GET /distribution": 503, "GET /rankings": 503}))
    assert len(ran.warning) == 1
    assert len(ran.dataframe) == 1


@pytest.mark.parametrize(
    ("picked", "days"),
    [
        ((date(2025, 7, 1), date(2025, 7, 5)), (date(2025, 7, 1), date(2025, 7, 5))),
        ((date(2025, 7, 1),), (date(2025, 7, 1), date(2025, 7, 20))),
        ((), (date(2025, 7, 1), date(2025, 7, 20))),
    ],
    ids=["whole", "half-picked", "cleared"],
)
def test_a_half_picked_range_goes_to_the_end(picked, days) -> None:
    assert whole(picked, date(2025, 7, 1), date(2025, 7, 20)) == days


def test_what_is_chosen_at_first_is_what_there_is() -> None:
    assert newest(date(2025, 7, 18), date(2025, 7, 20)) == (date(2025, 7, 18), date(2025, 7, 20))
    assert (usual({10: "Music", 24: "Entertainment"}), usual({24: "Entertainment"})) == ([10], [])
