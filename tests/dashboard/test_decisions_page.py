"""The page of decisions, with serving as a table of answers."""

from __future__ import annotations

from datetime import date
from typing import Any

import httpx
import pytest

from dashboard.pages.decisions import page
from tests.support.dashboard_stub import Stub, shown

MODEL = "video_performance"
HOSTILE = "<img src=x onerror=alert(1)> [x](javascript:alert(1))"
AT = "2025-08-07T00:00:06Z"
ANSWERS = [
    {"action": "retrain", "target": MODEL, "outcome": "suppressed", "stopped_by": "cooldown"},
    {"action": "alert", "target": MODEL, "outcome": "accepted"},
]
DECISION: dict[str, Any] = {
    "model": MODEL,
    "seq": 7,
    "event_type": "data_drift_detected",
    "event_id": "e1",
    "decided_at": AT,
    "severity": "high",
    "rule": "drift.high",
}
DECISION |= {"answers": [{"stopped_by": None, **one} for one in ANSWERS]}
EVENT: dict[str, Any] = {
    "id": "e1",
    "source": HOSTILE,
    "type": "data_drift_detected",
    "subject": HOSTILE,
    "time": AT,
    "data": {"drift_score": 0.72, "note": HOSTILE},
}
GUARDS = [{"guard": "stale", "passed": True, "detail": ""}, {"guard": "cooldown", "passed": False, "detail": "retrain of severity high at noon"}]
BODY: dict[str, Any] = {
    "decision": f"{MODEL}/7",
    "severity": {"final": "high", "path": ["event: medium", "drift_score 0.72 > 0.6: high"]},
    "rule": "drift.high",
}
BODY |= {"answers": [{**ANSWERS[0], "reason": "data_drift_high", "guards": GUARDS, "allowed_at": "2025-08-07T01:00:00Z"}]}
EXPLAINED: dict[str, Any] = {"about": "event", "id": "e1", "says": "", "events": [EVENT], "decisions": [BODY], "actions": [], "answers": [{**ANSWERS[0]}]}
EXPLAINED |= {"drifted": [{"event_id": "e1", "name": "tag_count", "effect": 0.8, "q_value": 0.01, "direction": "higher"}]}
CELL: dict[str, Any] = {"condition": {}, "action": "retrain", "beside": [], "when": "maintenance_window", "priority": "normal", "reason": None, "note": None}
RULE = {"event_type": "data_drift_detected", "by_severity": {key: [CELL] for key in ("low", "medium", "high", "critical")}, "alike": False, "always": ["alert"]}
THRESHOLD = {"event_type": "data_drift_detected", "severity": "high", "field": "drift_score", "above": 0.6}
POLICY: dict[str, Any] = {
    "hash": "a" * 64,
    "timezone": "Asia/Seoul",
    "maintenance_window": ["03:00", "05:00"],
    "working_hours": None,
    "working_days": [],
    "stale_after": 86400.0,
}
POLICY |= {"min_new_rows": 100, "storm_more_than": 3, "storm_within": 3600.0, "daily_limits": {"retrain": 6}, "manual_approval": [], "default_cooldown": 300.0}
POLICY |= {"cooldowns": {"retrain": 3600.0}, "failure_backoff": [300.0, 21600.0], "thresholds": [THRESHOLD], "rules": [RULE]}
FOUND: dict[str, Any] = {"decisions": 40, "differing": 1, "actions": {"retrain": {"recorded": 4, "running": 4, "moved": 2}}, "missed": [], "gained": 1}
FOUND |= {"minutes_to_react": {"running": 0.1, "moved": 60.0}}
EXAMPLE = {"event": "e1", "type": "data_drift_detected", "model": MODEL, "severity": "high", "at": AT}
FOUND |= {"examples": [{**EXAMPLE, "running": ["retrain accepted now high"], "moved": ["retrain accepted later normal"]}]}


def answers(**changes: Any) -> dict[str, Any]:
    found = {
        "GET /models": {"models": [{"model": MODEL}]},
        "GET /overview": {"clock": {"now": "2025-08-07T15:30:00Z"}, "decision": {"decided_at": AT}},
        "GET /decisions": {"decisions": [DECISION], "next_cursor": "older"},
        "GET /events": {"events": [EVENT], "next_cursor": None},
        "GET /events/e1/explain": EXPLAINED,
        "GET /policy": POLICY,
        "POST /policy/backtest": FOUND,
    }
    return {**found, **changes}


def at(section: str, stub: Stub, language: str = "en") -> Any:
    ran = shown(page, stub, language=language)
    ran.button_group("decisions_section").set_value(section).run()
    assert not ran.exception
    return ran


def said(ran: Any) -> str:
    return " ".join(one.value for one in (*ran.markdown, *ran.caption, *ran.warning, *ran.info, *ran.success)).replace("\\", "")


def asked(stub: Stub, path: str) -> list[dict[str, str]]:
    return [dict(one.url.params) for one in stub.asked if one.url.path == path]


@pytest.mark.parametrize(("language", "words"), [("en", "Retrain: held back · cooldown"), ("ko", "재학습: 보류 · 재실행 대기 시간")])
def test_what_was_held_back_is_listed_with_what_held_it(language: str, words: str) -> None:
    assert words in said(shown(page, Stub(answers()), language=language))


def test_filters_and_pages_are_serving_s() -> None:
    stub = Stub(answers())
    ran = shown(page, stub)
    ran.selectbox("decisions_model").set_value(MODEL).run()
    ran.selectbox("decisions_outcome").set_value("suppressed").run()
    ran.button("older").click().run()
    assert not ran.exception
    first, *_, last = asked(stub, "/decisions")
    assert first == {"limit": "12", "skip_ignored": "true"}
    assert last == {"limit": "12", "cursor": "older", "model": MODEL, "outcome": "suppressed"}
    ran.selectbox("decisions_severity").set_value("high").run()
    assert "cursor" not in asked(stub, "/decisions")[-1]  # another question begins at the newest


def test_a_day_is_the_viewers() -> None:
    stub = Stub(answers())
    ran = shown(page, stub)
    picker = ran.date_input("decisions_day")
    assert (picker.min, picker.max) == (date(1970, 1, 1), date(2025, 8, 8))  # today by platform time, where the viewer is
    picker.set_value(date(2025, 8, 7)).run()
    last = asked(stub, "/decisions")[-1]
    assert (last["since"], last["until"]) == ("2025-08-07T00:00:00+09:00", "2025-08-08T00:00:00+09:00")


def test_explain_tells_what_happened_what_was_decided_and_what_stopped_it() -> None:
    ran = shown(page, Stub(answers()))
    ran.button("explain_decision_0").click().run()
    assert not ran.exception
    told = said(ran)
    for words in (
        "Held back: Retrain",
        "Number of tags 0.80 higher",
        "drift score 0.72 > 0.6: high",
        "Guards passed: Age of the event",
        "retrain of severity high",
    ):
        assert words in told
    assert "Allowed again at Aug 7, 2025, 10:00:00" in told.replace("\u202f", " ")


def test_an_address_tells_a_story_at_once() -> None:
    stub = Stub(answers())

    def linked(view: Any) -> None:
        import streamlit as st

        from dashboard.pages.decisions import page as decisions

        st.query_params["event"] = "e1"
        decisions(view)

    assert "Held back: Retrain" in said(shown(linked, stub))


def test_what_an_event_says_stays_text() -> None:
    ran = at("events", Stub(answers()))
    shown_text = " ".join(one.value for one in (*ran.markdown, *ran.caption))
    assert "<img" not in shown_text.replace("\\<", "")
    assert "[x](" not in shown_text.replace("\\[", "")


def test_the_matrix_and_the_guards_are_the_policys() -> None:
    ran = at("policy", Stub(answers()))
    html = " ".join(str(getattr(one, "body", "")) for one in ran.get("html"))
    for words in ("Data drift detected", "in the maintenance window", "+ Alert people", "drift score &gt; 0.6", "Retrain 1 h", "Retrain 6 a day", "24 h"):
        assert words in html


def test_a_moved_slider_asks_once_and_shows_the_difference() -> None:
    stub = Stub(answers())
    ran = at("backtest", stub)
    assert "Move the slider" in said(ran)
    assert asked(stub, "/policy/backtest") == []
    ran.slider[0].set_value(0.9).run()
    ran.run()
    assert len(asked(stub, "/policy/backtest")) == 1
    told = said(ran)
    for words in ("1 of 40 decisions would differ", "0.6 → 0.9", "Retrain: accepted, later"):
        assert words in told
    assert (ran.metric[0].value, ran.metric[0].delta) == ("2", "-2")


@pytest.mark.parametrize(
    ("overview", "last"),
    [
        pytest.param({"clock": {"now": "2025-08-01T00:00:00Z"}, "decision": {"decided_at": AT}}, date(2025, 8, 7), id="decided-later-than-the-clock"),
        pytest.param({"clock": {"now": "2025-08-01T00:00:00Z"}, "decision": None}, date(2025, 8, 1), id="nothing-decided"),
    ],
)
def test_no_later_day_is_offered_than_there_can_be(overview: dict[str, Any], last: date) -> None:
    assert at("events", Stub(answers(**{"GET /overview": overview}))).date_input("events_day").max == last


@pytest.mark.parametrize(
    ("section", "path"), [("decisions", "GET /decisions"), ("events", "GET /events"), ("policy", "GET /policy"), ("backtest", "GET /policy")]
)
def test_without_serving_each_section_says_so(section: str, path: str) -> None:
    ran = at(section, Stub(answers(**{path: httpx.Response(503, json={"title": "Unavailable"})})))
    assert len(ran.warning) == 1


def test_nothing_found_says_what_would_change_that() -> None:
    ran = shown(page, Stub(answers(**{"GET /decisions": {"decisions": [], "next_cursor": None}})))
    assert "No decision matches" in said(ran)
