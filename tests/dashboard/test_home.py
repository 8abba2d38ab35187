"""Home: the loop as a picture, promises with their numbers, degraded parts named, and nothing that was told becomes markup."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dashboard.formats import Formats
from dashboard.pages import home
from dashboard.parts.promises import promises
from dashboard.parts.stations import stations
from dashboard.words import words
from evergreen.core.access import Role
from tests.support.dashboard_stub import Stub, shown
from tests.support.overviews import HOSTILE, overview

EN, KO = (words("en"), Formats("en")), (words("ko"), Formats("ko"))
EMPTY: dict[str, Any] = {
    "events": {"per_minute": [0] * 30, "newest": []},
    "decision": None,
    "actions": {"pending": 0, "running": 0, "asking": 0, "first": []},
    "models": [{"model": "video_performance", "version": None, "since": None, "stable": None, "workers": 0, "drift": None, "trend": []}],
    "firing": [],
}


def html(stub: Stub, **seen: object) -> str:
    return "\n".join(str(one.proto.body) for one in shown(home.page, stub, **seen).get("html"))  # type: ignore[arg-type]


def test_the_flow_tells_what_happens_and_each_station_leads_to_its_page() -> None:
    found = {one.name: one for one in stations(*EN, overview(), {"home", "drift", "models"})}
    assert list(found) == ["Events", "Decision", "Actions", "Champion", "Drift"]
    assert (found["Events"].main, found["Events"].bars, found["Events"].link) == ("12", [0, 3, 12], None)
    assert (found["Decision"].main, found["Decision"].lines[:2]) == ("Retrain", ["Data drift detected", "held back"])
    assert found["Actions"].main == "1 running"
    assert found["Actions"].lines == ["Retrain", "2 waiting", "1 waiting for approval"]
    assert (found["Champion"].main, found["Champion"].link, found["Champion"].tone) == ("video_performance@4", "/models", "good")
    assert (found["Drift"].main, found["Drift"].link, found["Drift"].tone) == ("0.57", "/drift", "bad")


def test_the_decision_leads_to_its_own_story() -> None:
    told = overview()
    told["decision"]["event_id"] = "a&b"
    assert stations(*EN, told, {"decisions"})[1].link == "/decisions?event=a%26b"


def test_a_champion_that_nobody_answers_with_stands_out() -> None:
    told = overview()
    told["models"][0]["workers"] = 0
    champion = stations(*KO, told, set())[3]
    assert champion.tone == "bad"
    assert "응답 중인 워커 없음" in champion.lines[0]


def test_each_promise_has_value_goal_state_and_budget() -> None:
    said = promises(*EN, overview()["promises"])
    assert re.findall("<strong>([^<]+)", said) == ["136 ms", "97.00%", "99.00%"]
    assert [state for state in ("kept", "broken") if f'eg-state {state}"' in said] == ["kept", "broken"]
    assert "40% of the error budget left" in said
    assert "error budget used up" in said
    nothing = promises(*EN, [{**overview()["promises"][1], "value": None, "state": "unmeasured", "budget_left": None, "n": 0}])
    assert "nothing to measure yet" in nothing
    assert "eg-state" not in nothing


@pytest.mark.parametrize(("language", "title", "state"), [("en", "The loop now", "replay, 60× speed"), ("ko", "모델 운영 현황", "재생 모드, 60배속")])
def test_the_page_speaks_both_languages(language: str, title: str, state: str) -> None:
    stub = Stub({"GET /overview": overview()})
    ran = shown(home.page, stub, language=language)
    assert ran.title[0].value == title
    assert state in ran.caption[0].value
    assert len(ran.subheader) == 5


def test_what_was_told_stays_text() -> None:
    said = html(Stub({"GET /overview": overview()}))
    assert HOSTILE not in said
    assert said.count("&lt;img src=x onerror=alert(1)&gt;") >= 3
    assert "unheard of" in said
    assert "Health: redis" in said


def test_an_empty_loop_says_what_would_fill_it() -> None:
    ran = shown(home.page, Stub({"GET /overview": overview(**EMPTY)}), role=Role.VIEWER)
    said = " ".join(one.value for one in (*ran.markdown, *ran.caption))
    assert "No event yet" in said
    assert "Nothing decided yet" in said
    assert "`evergreen demo`" in said


def test_a_part_that_is_away_is_named_and_the_rest_is_shown() -> None:
    ran = shown(home.page, Stub({"GET /overview": overview(promises=None, decision=None, clock=None, missing=["promises", "decision", "clock"])}))
    assert ran.warning[0].value == "Not available right now: promises, decision, clock. Everything else is current."
    assert [one.value for one in ran.subheader] == ["Pending and running actions", "Newest events", "Reported by the monitor"]


def test_everything_away_is_said_where_the_live_part_would_be() -> None:
    ran = shown(home.page, Stub({"GET /overview": 503}), language="ko")
    assert ran.title[0].value == "모델 운영 현황"
    assert "응답하지 않습니다" in ran.warning[0].value
