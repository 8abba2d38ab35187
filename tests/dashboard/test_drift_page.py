"""Drift & quality: charts with words beside them, one window and one feature, a report in a frame, issues with reasons."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.pages import drift
from dashboard.parts.drift_evidence import q_words
from tests.support.dashboard_stub import Stub, calls, open_tab, shown
from tests.support.drifts import HEAT, HOSTILE, REPORTS, distributions, quality, report

CHOSEN = "video_performance-2025-08-06"


def reports_of(request: httpx.Request) -> dict[str, Any]:
    model = request.url.params.get("model")
    return {"reports": [one for one in REPORTS if model in (None, one["model"])]}


def serving(**changes: Any) -> Stub:
    return Stub(
        {
            "GET /drift": reports_of,
            "GET /drift/features": HEAT,
            f"GET /drift/reports/{CHOSEN}": report(),
            f"GET /drift/reports/{CHOSEN}/distribution": lambda asked: distributions(numeric=asked.url.params["feature"] == "hour"),
            "GET /quality": quality(),
        }
        | changes
    )


def charts(ran: AppTest) -> list[str]:
    return [one.proto.alt for one in ran.get("plotly_chart")]


def texts(ran: AppTest) -> str:
    return "\n".join(str(one.value) for one in (*ran.text, *ran.caption, *ran.markdown))


def test_it_opens_with_the_newest_window_that_drifted_and_its_strongest_feature() -> None:
    ran = shown(drift.page, serving())
    assert [one.value for one in ran.selectbox] == ["video_performance", CHOSEN, "category_id"]
    assert [(one.label, one.value) for one in ran.metric][:3] == [("Effect", "0.692"), ("q-value", "2.8e-130"), ("Verdict", "drifted")]
    assert charts(ran) == [
        "Drift score of video_performance in 2 windows, 1 of them drifted",
        "Heat map of the drift scores of 2 features in 2 windows; the table below holds the numbers of each window",
        "Shares of Category in 1,406 training rows and in 207 rows of the window",
    ]
    assert charts(shown(drift.page, serving(), tab="tab.quality")) == ["Share of rows set aside in each of 2 batches"]
    assert "3 more features moved less than those shown." in texts(ran)
    assert "Value not known: 0.0% of the training rows, 10.0% of the window." in texts(ran)


def test_a_link_to_a_report_opens_it() -> None:
    stub = serving(**{"GET /drift/reports/other-2025-07-30": report(picture="none", distributions=False)})
    assert [one.value for one in shown(drift.page, stub, report="other-2025-07-30").selectbox][:2] == ["other", "other-2025-07-30"]


def test_another_feature_and_another_model_change_what_is_shown() -> None:
    stub = serving(**{"GET /drift/reports/other-2025-07-30": report(picture="none", distributions=False)})
    ran = shown(drift.page, stub)
    ran.selectbox[2].select("hour").run()
    assert len(charts(ran)) == 4  # the cumulative curves of a number
    ran.selectbox[0].select("other").run()
    assert not ran.exception
    assert ran.selectbox[1].value == "other-2025-07-30"
    assert "No distributions were kept for this check" in texts(ran)
    assert "this one did not" in texts(ran)


def test_the_report_is_framed_only_when_asked_for() -> None:
    ran = shown(drift.page, serving())
    assert not ran.get("iframe")
    ran.toggle[0].set_value(True).run()
    [frame] = ran.get("iframe")
    assert frame.proto.src == f"/reports/drift/{CHOSEN}"
    waiting = shown(drift.page, serving(**{f"GET /drift/reports/{CHOSEN}": report(picture="expected")}))
    assert not waiting.toggle
    assert "being made" in texts(waiting)


@pytest.mark.parametrize(("language", "incident", "kind"), [("en", "incident", "duplicates"), ("ko", "장애", "중복")])
def test_issues_come_with_their_reasons(language: str, incident: str, kind: str) -> None:
    ran = shown(drift.page, serving(), language=language, tab="tab.quality")
    issues = ran.dataframe[-1].value
    assert issues.shape == (1, 8)
    assert list(issues.iloc[0])[2:] == [kind, "–", 50, "25.00%", HOSTILE, incident]
    assert [one.value for one in ran.metric] == ["2", "500", "50 (9.09%)", "1"]


def test_what_was_told_stays_text() -> None:
    ran = shown(drift.page, serving())
    assert HOSTILE in [one.value for one in ran.text]
    assert HOSTILE not in "".join(one.value for one in ran.markdown)


def test_before_the_first_check_and_the_first_batch_it_says_what_comes() -> None:
    stub = Stub({"GET /drift": {"reports": []}, "GET /quality": {"datasets": [], "batches": []}})
    ran = shown(drift.page, stub, language="ko")
    assert "아직 드리프트 점검 기록이 없습니다" in texts(ran)
    assert charts(ran) == []
    assert "아직 수집된 배치가 없습니다" in texts(shown(drift.page, stub, language="ko", tab="tab.quality"))


def test_the_open_tab_alone_asks_and_each_thing_once() -> None:
    stub = serving()
    ran = shown(drift.page, stub)
    assert calls(stub) == sorted(["/drift", "/drift/features", f"/drift/reports/{CHOSEN}", f"/drift/reports/{CHOSEN}/distribution"])
    stub.asked.clear()
    open_tab(ran, drift.page, "tab.quality")
    ran.run()
    assert calls(stub) == ["/quality"]


def test_another_window_is_in_the_address_and_there_again_after_a_look_at_the_other_tab() -> None:
    old = "video_performance-2025-07-30"
    ran = shown(drift.page, serving(**{f"GET /drift/reports/{old}": report(distributions=False)}))
    assert "report" not in ran.query_params
    ran.selectbox[1].select(old).run()
    assert ran.query_params["report"] == old
    for tab in ("quality", "drift"):
        open_tab(ran, drift.page, f"tab.{tab}")
        ran.run()
    assert ran.selectbox[1].value == old


def test_one_dataset_alone_is_asked_for_once_it_was_picked() -> None:
    stub = serving()
    ran = shown(drift.page, stub, tab="tab.quality")
    stub.asked.clear()
    ran.segmented_control[0].set_value("videos.KR").run()
    assert [request.url.params.get("dataset") for request in stub.asked] == ["videos.KR"]


def test_a_service_that_is_away_is_said() -> None:
    ran = shown(drift.page, Stub({"GET /drift": 503}))
    assert "does not answer right now" in ran.warning[0].value


@pytest.mark.parametrize(("value", "words"), [(0.4, "0.400"), (0.00012, "1.2e-04"), (0.0, "< 1e-300")])
def test_q_values_are_short(value: float, words: str) -> None:
    assert q_words(value) == words
