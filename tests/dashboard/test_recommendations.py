"""The recommendations page: a user's list changes by what is pushed, buttons are for those who may press them, titles stay text."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import list_reader
from dashboard.escaped import plain
from dashboard.list_reader import Arrived
from dashboard.pages.recommendations import page
from dashboard.parts.list_changes import changes, reason_in, shown_now
from dashboard.words import words
from evergreen.core.access import Role
from tests.support.dashboard_stub import Stub, calls, shown
from tests.support.events import NOON
from tests.support.worker_processes import until

HOSTILE = "<img src=x onerror=alert(1)> [x](javascript:alert(1))"


def listed(number: int, *titles: str) -> dict[str, Any]:
    items = [{"position": at, "item_id": title, "title": title, "score": 0.5, "reason": f"because you watched {HOSTILE}"} for at, title in enumerate(titles, 1)]
    return {
        "user_id": "u1",
        "list_id": f"list-{number}",
        "items": items,
        "model_version": "movie_recommender@1",
        "as_of": f"clicks:0:{number}",
        "reflected": None,
        "made_at": (NOON + timedelta(seconds=number)).isoformat(),
        "origin": "stored",
        "experiment": None,
        "variant": None,
        "degraded": False,
        "degraded_reasons": [],
    }


def variant(name: str, **more: Any) -> dict[str, Any]:
    told = {"name": name, "weight": 1.0, "version": None, "params": {}, "planned": 0.5, "counts": None, "ctr": None, "relative": None, "verdict": None}
    return told | more


EXPERIMENT: dict[str, Any] = {
    "name": "more-diverse",
    "model": "movie_recommender",
    "status": "running",
    "share": 1.0,
    "metric": "ctr",
    "window_hours": 24.0,
    "says": HOSTILE,
    "groups_as_planned": False,
    "variants": [variant("control", ctr={"point": 0.1, "low": 0.05, "high": 0.2}), variant("b", params={"diversity": 0.6}, verdict="too_few")],
    "started_by": "cli:kim",
    "reason": "to see",
    "ended_by": None,
    "end_reason": None,
    "started_time": NOON.isoformat(),
    "until_time": NOON.isoformat(),
    "ended_time": None,
    "looked_time": None,
}
PROFILE = {
    "user_id": "u1",
    "interactions": 3,
    "counts": {"like": 2, "view": 1},
    "rated": 1,
    "preferences": [{"genre": "Drama", "preference": 0.4}],
    "history": [],
    "boosts": [{"item_id": "9", "title": HOSTILE, "genres": [], "cause": "items", "factor": 1.5, "until": NOON.isoformat()}],
    "activity": [{"id": "e1", "at": NOON.isoformat(), "kind": "like", "items": [{"item_id": "9", "title": HOSTILE, "genres": []}]}],
    "as_of": "clicks:0:1",
    "rebuilding": False,
    "model_version": "movie_recommender@1",
}


@pytest.fixture(autouse=True)
def stubborn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that ended is not asked for again while the test looks."""
    monkeypatch.setattr(list_reader, "AGAIN_SECONDS", 60.0)
    monkeypatch.setattr(list_reader, "LEASE_SECONDS", 5.0)


def told(number: int, *titles: str) -> httpx.Response:
    return httpx.Response(200, content=f"id: {number}-0\nevent: recommendations\ndata: {json.dumps(listed(number, *titles))}\n\n".encode())


@pytest.fixture
def stub() -> Stub:
    return Stub(
        {
            "GET /profiles": {"users": [{"user_id": "u1", "interactions": 3, "active_at": None}]},
            "GET /recommendations/u1": listed(1, HOSTILE, "Alien (1979)"),
            "GET /recommendations/u1/stream": httpx.Response(200, content=b":\n\n"),
            "GET /profiles/u1": PROFILE,
            "GET /profiles/u1/similar": {"user_id": "u1", "users": [{"user_id": "u2", "similarity": 0.9}], "compared_with": 2, "model_version": "m@1"},
            "GET /items": {"items": [{"item_id": "9", "title": HOSTILE, "genres": []}], "model_version": "m@1"},
            "GET /items/9/similar": {"item_id": "9", "title": HOSTILE, "genres": [], "items": [], "model_version": "m@1"},
            "GET /experiments": {"experiments": [EXPERIMENT]},
            "POST /clicks": {"id": "e2", "status": "accepted", "as_of": "clicks:0:2"},
        }
    )


def texts(ran: AppTest) -> str:
    return "\n".join(str(one.value) for one in [*ran.markdown, *ran.caption, *ran.text, *ran.subheader, *ran.title])


def picked(stub: Stub, role: Role = Role.ANALYST, language: str = "en") -> AppTest:
    ran = shown(page, stub, role=role, language=language)
    return ran.selectbox(key="recommendations_user").select("u1").run()


def buttons(ran: AppTest) -> set[str]:
    return {one.label for one in ran.button}


def test_nothing_is_asked_of_a_user_before_one_is_picked(stub: Stub) -> None:
    assert "No user chosen yet" in texts(shown(page, stub, role=Role.ANALYST))
    assert not [one for one in stub.asked if "recommendations" in one.url.path]


def test_a_users_list_says_why_and_titles_stay_text(stub: Stub) -> None:
    said = texts(picked(stub))
    assert "What to watch next" in said
    assert "because you watched" in said
    assert plain(HOSTILE) in said
    assert HOSTILE not in said.replace(EXPERIMENT["says"], "", 1)  # which is a text, not Markdown
    assert "2 active users" in said


def test_what_is_pushed_takes_the_lists_place_and_says_what_is_new(stub: Stub) -> None:
    stub.answers["GET /recommendations/u1/stream"] = lambda _request: told(2, "Heat (1995)", "Alien (1979)")
    ran = picked(stub)
    until(lambda: "Heat" in texts(ran.run()))
    said = texts(ran)
    assert ":green-badge[new]" in said
    assert sum(one.url.path == "/recommendations/u1" for one in stub.asked) == 1  # the list is not polled


def test_a_click_is_told_as_the_list_said_it_and_what_went_wrong_is_said(stub: Stub) -> None:
    ran = picked(stub)
    ran.button(key="click-Alien (1979)").click().run()
    [sent] = [one for one in stub.asked if one.url.path == "/clicks"]
    assert json.loads(sent.content) == {"user_id": "u1", "item_id": "Alien (1979)", "recommendation_context": {"list_id": "list-1", "position": 2}}
    assert "comes by push" in ran.info[0].value
    stub.answers["POST /clicks"] = 503
    ran.button(key="click-Alien (1979)").click().run()
    assert "does not answer right now" in ran.warning[0].value


def test_what_is_away_is_said_where_it_belongs_and_the_rest_is_there(stub: Stub) -> None:
    stub.answers |= {"GET /profiles/u1": 503, "GET /profiles/u1/similar": 503, "GET /items": 503}
    ran = picked(stub)
    assert len(ran.warning) == 3
    assert "Alien" in texts(ran)
    stub.answers["GET /recommendations/u1"] = 404
    ran = picked(stub)
    assert "The service refused" in ran.error[0].value


def test_a_viewer_sees_experiments_and_nobodys_list(stub: Stub) -> None:
    ran = shown(page, stub, role=Role.VIEWER)
    assert {one.url.path for one in stub.asked} == {"/experiments"}
    assert "Groups not as planned" in texts(ran)
    assert buttons(ran) == set()


def test_only_an_operator_stops_an_experiment_and_says_why(stub: Stub) -> None:
    assert "Stop now" not in buttons(shown(page, stub, role=Role.ANALYST, tab="tab_experiments"))
    stub.answers["POST /experiments/more-diverse/stop"] = EXPERIMENT
    ran = shown(page, stub, role=Role.OPERATOR, tab="tab_experiments")
    assert set(calls(stub)) == {"/experiments"}
    stop = next(one for one in ran.button if one.label == "Stop now")
    ran = stop.click().run()
    assert "Say why" in ran.error[0].value
    next(one for one in ran.text_input if one.label == "Reason (recorded)").input("enough")
    next(one for one in ran.button if one.label == "Stop now").click().run()
    [sent] = [one for one in stub.asked if one.url.path.endswith("/stop")]
    assert json.loads(sent.content) == {"reason": "enough"}


def test_an_operator_starts_one_where_none_runs(stub: Stub) -> None:
    stub.answers |= {"GET /experiments": {"experiments": []}, "POST /experiments": EXPERIMENT}
    ran = shown(page, stub, role=Role.OPERATOR, tab="tab_experiments")
    for label, text in (("Name", "more-diverse"), ("Reason (recorded)", "to see")):
        next(one for one in ran.text_input if one.label == label).input(text)
    next(one for one in ran.button if one.label == "Start").click().run()
    [sent] = [one for one in stub.asked if one.method == "POST"]
    assert json.loads(sent.content) == {
        "name": "more-diverse",
        "model": "movie_recommender",
        "share": 1.0,
        "reason": "to see",
        "challengers": [{"name": "diverse", "params": {"diversity": 0.6}}],
    }


def test_it_speaks_korean(stub: Stub) -> None:
    said = texts(picked(stub, language="ko"))
    assert "다음에 볼 영화" in said
    assert "시청 이력" in said


def test_the_newest_list_is_shown_and_compared_with_the_one_before() -> None:
    first, old, new = (Arrived(NOON, listed(number, *titles)) for number, titles in ((2, "ab"), (1, "zz"), (3, "bca")))
    assert shown_now(first, []) == (first, None)
    assert shown_now(first, [new, old]) == (new, first)
    assert changes(new.said["items"], first) == {"b": "up", "c": "new", "a": "down"}
    assert changes(new.said["items"], None) == {}


@pytest.mark.parametrize(
    ("said", "shown_as"),
    [("because you watched A*b", "시청 이력: A\\*b"), ("popular now", "지금 인기"), ("because you like Drama", "선호 장르: Drama"), ("of late", "of late")],
)
def test_reasons_are_said_in_the_viewers_language(said: str, shown_as: str) -> None:
    assert reason_in(words("ko"), said) == shown_as
