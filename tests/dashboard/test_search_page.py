"""Prediction search alone: what is asked, what is shown, what stays text."""

from __future__ import annotations

import csv
import io
import json
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import ButtonGroup

from dashboard.pages.search import page
from dashboard.parts import search
from dashboard.parts.export import csv_of, safe
from dashboard.parts.what_if import edited
from tests.support.dashboard_stub import Stub, shown
from tests.support.dashboard_videos import ANSWERS, EXPLAINED, FOUND, HOSTILE, PREDICTION


def searched(stub: Stub, words: str, by: str = "keyword", language: str = "en") -> AppTest:
    ran = shown(page, stub, language=language)
    if by != "keyword":
        cast(ButtonGroup[str], ran.get("button_group")[0]).set_value(by)
        ran.run()
    ran.text_input[0].set_value(words)
    ran.button[0].click()
    ran.run()
    assert not ran.exception
    return ran


def told(ran: AppTest) -> str:
    return " ".join(element.proto.body for element in ran.get("html"))


def bodies(stub: Stub, path: str) -> list[dict[str, object]]:
    return [json.loads(request.content) for request in stub.asked if request.url.path == path]


def test_a_korean_keyword_finds_videos_and_the_first_is_shown_with_its_prediction() -> None:
    stub = Stub(ANSWERS)
    ran = searched(stub, "여행", language="ko")
    assert bodies(stub, "/search/keyword") == [{"keyword": "여행", "limit": 20, "cursor": None}]
    assert bodies(stub, "/predict/video") == [{"video_id": "v1"}]
    assert "31개 중 2개" in ran.selectbox[0].label
    assert "최근 7일 안에 목록에 있었던 것으로 보입니다" in ran.success[0].value
    words = told(ran)
    for said in ("75.0", "상위 25.0%", "62%", "1,585", "631–4천", "31.0%", "상승", "높음", "2,000", "6.00%", "음악: 목록에 오른 비디오 중 상위 20.0% (75.0점"):
        assert said in words
    assert "video_performance@5" in " ".join(caption.value for caption in ran.caption)
    assert len(ran.get("plotly_chart")) == 3


def test_hostile_titles_stay_text() -> None:
    ran = searched(Stub(ANSWERS), "x")
    assert "<img" not in told(ran)
    assert "&lt;img src=x onerror=alert(1)&gt;" in told(ran)
    assert all(HOSTILE not in one.value for one in (*ran.markdown, *ran.caption))
    assert ran.selectbox[0].options[0].startswith(HOSTILE)


def test_a_channel_is_asked_for_by_its_own_search() -> None:
    stub = Stub(ANSWERS)
    searched(stub, "뮤직", by="channel")
    assert bodies(stub, "/search/channel") == [{"channel": "뮤직", "limit": 20, "cursor": None}]


def test_of_a_stranger_only_the_seen_index_speaks() -> None:
    stub = Stub({**ANSWERS, "POST /predict/video": 404})
    ran = searched(stub, "stranger", by="video_id")
    assert "Not seen in the last 7 days (older data)" in ran.info[0].value
    assert any("Nothing is known of this video" in one.value for one in ran.markdown)
    assert not ran.get("plotly_chart")


def test_an_answer_with_limits_says_which_and_one_from_the_cache_that_it_is() -> None:
    limited = {**PREDICTION, "degraded": True, "degraded_reasons": ["features_stale", "new_reason"], "cached": True, "bloom_filter_status": "unknown"}
    ran = searched(Stub({**ANSWERS, "POST /predict/video": limited, "POST /predict/video/explanation": 503}), "v1", by="video_id")
    assert "cannot be told" in ran.warning[0].value
    assert "the stored features are old, new reason" in ran.warning[1].value
    assert any("from cache" in one.value for one in ran.caption)


def test_of_two_that_read_alike_the_one_that_was_picked_is_shown() -> None:
    twins = [{**FOUND["results"][0], "video_id": name} for name in ("v1", "v2")]
    stub = Stub({**ANSWERS, "POST /search/keyword": {**FOUND, "results": twins}})
    ran = searched(stub, "여행")
    assert [option.rpartition(" · ")[2] for option in ran.selectbox[0].options] == ["v1", "v2"]
    ran.selectbox[0].select_index(1).run()
    assert bodies(stub, "/predict/video")[-1] == {"video_id": "v2"}


@pytest.mark.parametrize(("by", "said"), [("keyword", "Type a word"), ("channel", "part of the channel's name"), ("video_id", "Type a video's ID")])
def test_a_search_for_nothing_says_what_to_type(by: str, said: str) -> None:
    stub = Stub(ANSWERS)
    ran = searched(stub, "  ", by=by)
    assert said in ran.warning[0].value
    assert not [request for request in stub.asked if request.method == "POST"]


def test_a_video_found_by_its_id_is_exported_as_one_of_a_list_is(monkeypatch: pytest.MonkeyPatch) -> None:
    exported: list[list[dict[str, object]]] = []

    def kept(rows: list[dict[str, object]]) -> bytes:
        exported.append(rows)
        return csv_of(rows)

    monkeypatch.setattr(search, "csv_of", kept)
    for by in ("keyword", "video_id"):
        ran = searched(Stub(ANSWERS), "v1", by=by)
        assert [one.label for one in ran.download_button] == ["Download CSV"]
    listed, alone = exported[0], exported[-1]
    assert alone == listed[:1]
    assert alone[0]["performance_score"] == 75.0


def test_more_of_the_results_are_added_to_those_that_are_there() -> None:
    stub = Stub(ANSWERS)
    ran = searched(stub, "여행")
    next(button for button in ran.button if button.label == "Load more").click()
    ran.run()
    assert [body["cursor"] for body in bodies(stub, "/search/keyword")] == [None, "next"]


def test_a_changed_feature_moves_the_prediction_and_nothing_is_logged() -> None:
    moved = {**EXPLAINED, "performance_score": 81.5, "predicted_views": 3170}
    stub = Stub({**ANSWERS, "POST /predict/video/explanation": lambda request: moved if b"features" in request.content else EXPLAINED})
    ran = searched(stub, "v1", by="video_id")
    asked = len(bodies(stub, "/predict/video"))
    ran.slider[0].set_value(9)
    ran.run()
    assert bodies(stub, "/predict/video/explanation")[-1]["features"]["hour"] == 9  # type: ignore[index]
    assert [(metric.value, metric.delta) for metric in ran.metric] == [("81.5", "+6.5 points"), ("3.2K", "+100.0%")]
    assert len(bodies(stub, "/predict/video")) == asked


def test_what_depends_on_a_changed_day_follows_it() -> None:
    assert edited({"day_of_week": 2.0, "is_weekend": 0.0, "hour": 3.0}, {"day_of_week": 6}) == {"day_of_week": 6, "is_weekend": 1.0, "hour": 3.0}


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1"])
def test_no_cell_begins_a_formula(text: str) -> None:
    assert safe(text) == "'" + text


@given(st.lists(st.tuples(st.text(max_size=20), st.integers()), min_size=1, max_size=5))
def test_a_table_comes_back_as_it_was_but_for_the_mark(rows: list[tuple[str, int]]) -> None:
    written = csv_of([{"title": title, "views": views} for title, views in rows]).decode("utf-8-sig")
    [header, *read] = list(csv.reader(io.StringIO(written, newline="")))
    assert header == ["title", "views"]
    assert [(title, int(views)) for title, views in read] == [(safe(title), views) for title, views in rows]
    assert csv_of([]) == b""
