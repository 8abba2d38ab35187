"""The system page: numbers beside what they were, what is missing is said, hostile texts stay text, buttons are for operators."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from dashboard.charts.system import load_over_time
from dashboard.formats import Formats
from dashboard.pages.system import page
from dashboard.words import words
from evergreen.core.access import Role
from tests.support.dashboard_stub import Stub, calls, shown

HOSTILE = "<img src=x onerror=alert(1)> [x](javascript:alert(1))"
AT = "2026-03-01T12:00:00+00:00"
CARDS = ("requests_per_minute", "p50_milliseconds", "p95_milliseconds", "p99_milliseconds", "cpu_percent", "memory_percent", "memory_bytes")
NOTHING = {"value": None, "before": None}


def reading(value: float | None, before: float | None = None) -> dict[str, float | None]:
    return {"value": value, "before": before}


def now(**more: Any) -> dict[str, Any]:
    serving = {name: reading(120.0, 60.0) for name in CARDS} | {"error_share": reading(0.0, 0.0), "cache_hit_ratio": NOTHING, "workers": reading(2.0)}
    hop = {"name": "receive", "count": 10, "p50_seconds": 0.01, "p95_seconds": 0.02, "p99_seconds": None}
    return {
        "at": AT,
        "platform_time": AT,
        "measured_at": AT,
        "serving": serving,
        "host_load_percent": NOTHING,
        "host_memory_percent": NOTHING,
        "parts": [
            {"name": "redis", "up": False, "faults": 3, "told_at": AT, "lag": {}},
            {"name": "intake", "up": True, "faults": 0, "told_at": AT, "lag": {"evergreen-intake": 1234}},
        ],
        "hops": [hop, {**hop, "name": "decide"}],
        "queues": {"unsent": 1, "oldest_unsent_seconds": 0.5, "dead_letters": 2},
        **more,
    }


def point(second: int, **more: float | None) -> dict[str, Any]:
    names = ("requests_per_minute", "p50_milliseconds", "p95_milliseconds", "p99_milliseconds", "cpu_percent", "memory_percent", "cache_hit_ratio")
    return {"at": f"2026-03-01T12:00:{second:02d}+00:00", **dict.fromkeys(names, 1.0), **more}


SILENCE = {
    "id": "01a217fe-487a-7958-870e-0fb255670cad",
    "until_time": AT,
    "created_time": AT,
    "ended_time": None,
    "ended_by": None,
    "running": True,
    "who": "api:ann",
    "reason": HOSTILE,
    "model": "m",
    "event_type": None,
    "up_to": "high",
}
ALERT = {
    "id": "x",
    "severity": "critical",
    "title": HOSTILE,
    "title_ko": "제목",
    "message": HOSTILE,
    "message_ko": "",
    "model": "m",
    "event_type": "t",
    "event_id": None,
    "time": AT,
    "outcome": None,
    "open": True,
}
TOPIC = {
    "name": "data.ingested",
    "control": True,
    "partitions": [{"partition": 0, "first": 0, "end": 12}, {"partition": 1, "first": 0, "end": 1}],
    "messages": 13,
    "per_minute": 0.4,
    "last_at": None,
    "lag": {"evergreen-intake": 7},
}
LINE = {"at": AT, "service": "serving-00", "level": "error", "event": HOSTILE, "logger": None, "detail": "x=1"}
BLOOM = {"total_filters": 7, "total_capacity": 10_000, "estimated_items": 900, "false_positive_rate": 0.0001, "bits": 8192, "ready": True}


def stub(**more: Any) -> Stub:
    told = {
        "GET /system": now(),
        "GET /system/series": {"step_seconds": 10, "points": [point(0), point(10)]},
        "GET /system/topics": {"at": AT, "topics": [TOPIC]},
        "GET /system/log": {"kept": True, "lines": [LINE]},
        "GET /alerts": {"alerts": [ALERT]},
        "GET /silences": {"silences": [SILENCE]},
        "GET /bloom/stats": BLOOM,
    }
    return Stub(told | {f"GET {path}": answer for path, answer in more.items()})


def test_a_number_stands_beside_what_it_was() -> None:
    seen = shown(page, stub())
    cards = {metric.label: (metric.value, metric.delta) for metric in seen.metric}
    assert cards["Requests / min"] == ("120", "+60")
    assert cards["Response p99"] == ("120.0 ms", "+60.0 ms")
    assert cards["Errors"] == ("0.00%", "")
    assert cards["Cache hit ratio"] == ("–", "")
    assert cards["Dead letters"][0] == "2"


def test_a_part_that_fails_is_named() -> None:
    assert "redis" in shown(page, stub()).error[0].value
    assert "구성 요소: redis" in shown(page, stub(), language="ko").error[0].value


def test_topics_lags_alerts_and_warnings_are_tables_of_text() -> None:
    seen = shown(page, stub())
    assert any(("evergreen-intake", 1234) in table.value.itertuples(index=False, name=None) for table in seen.dataframe)
    [topics] = [table.value for table in shown(page, stub(), tab="tab.topics").dataframe]
    [topic] = topics.to_dict("records")
    assert (topic["topic"], topic["partitions"], topic["ends"], topic["lag"], topic["last"]) == ("data.ingested", 2, "12 · 1", "intake 7", "–")
    alerts = shown(page, stub(), tab="tab.alerts")
    assert HOSTILE in alerts.dataframe[0].value["title"].tolist()
    assert not any(HOSTILE in markdown.value for markdown in (*seen.markdown, *seen.caption, *alerts.markdown, *alerts.caption))
    assert any(HOSTILE in text.value for text in alerts.text)
    korean = shown(page, stub(), language="ko", tab="tab.alerts")
    [alert] = next(table.value for table in korean.dataframe if "outcome" in table.value).to_dict("records")
    assert (alert["title"], alert["message"], alert["severity"]) == ("제목", HOSTILE, "심각")


@pytest.mark.parametrize(("measured", "says"), [(None, "Nothing was measured"), ("2026-03-01T11:55:00+00:00", "5 minutes ago")])
def test_old_numbers_are_said_to_be_old(measured: str | None, says: str) -> None:
    seen = shown(page, stub(**{"/system": now(measured_at=measured)}))
    assert says in seen.warning[0].value


def test_what_is_not_there_is_said_in_its_place() -> None:
    nothing = {
        "/system": now(parts=[], hops=[], queues=None),
        "/system/series": {"step_seconds": 10, "points": []},
        "/system/log": {"kept": False, "lines": []},
        "/alerts": {"alerts": []},
        "/silences": {"silences": []},
        "/system/topics": 503,
    }
    tabs = {
        "parts": ("Nothing was measured in this time", "No event yet"),
        "topics": ("does not answer right now",),
        "alerts": ("No alert was raised", "Nothing is silenced"),
        "log": ("keeps no log files",),
    }
    for tab, expected in tabs.items():
        seen = shown(page, stub(**nothing), tab=f"tab.{tab}")
        said = " ".join(one.value for one in (*seen.markdown, *seen.info, *seen.warning))
        assert [words_ for words_ in expected if words_ not in said] == []
        assert len(seen.warning) == (tab == "topics")


@pytest.mark.parametrize(
    ("tab", "asked"),
    [("parts", ["/bloom/stats", "/system"]), ("topics", ["/system/topics"]), ("alerts", ["/alerts", "/silences"]), ("log", ["/system/log"])],
)
def test_the_open_tab_alone_asks(tab: str, asked: list[str]) -> None:
    told = stub()
    shown(page, told, tab=f"tab.{tab}")
    assert calls(told) == sorted(["/system", "/system/series", *asked])


def test_a_viewer_has_no_button_that_acts() -> None:
    viewer, operator = shown(page, stub(), role=Role.VIEWER, tab="tab.alerts"), shown(page, stub(), tab="tab.alerts")
    assert {button.label for button in operator.button} - {button.label for button in viewer.button} == {"End", "Silence"}


def test_a_silence_needs_a_reason_and_is_asked_for_with_it() -> None:
    told = stub()
    told.answers["POST /silences"] = SILENCE
    seen = shown(page, told, tab="tab.alerts")
    begin = next(button for button in seen.button if button.label == "Silence")
    begin.click().run()
    assert "reason is needed" in seen.warning[0].value
    seen.text_input(key="silence_reason").input("a planned change")
    next(button for button in seen.button if button.label == "Silence").click().run()
    [asked] = [request for request in told.asked if request.method == "POST"]
    assert httpx.Response(200, content=asked.content).json() == {
        "minutes": 60,
        "reason": "a planned change",
        "up_to": "high",
        "model": None,
        "event_type": None,
    }
    assert asked.headers["idempotency-key"]


def test_what_was_silenced_before_says_who_ended_it() -> None:
    ended = SILENCE | {"running": False, "ended_time": AT, "ended_by": "api:lee"}
    old, over = ended | {"ended_by": None}, SILENCE | {"running": False}
    seen = shown(page, stub(**{"/silences": {"silences": [SILENCE, ended, old, over]}}), tab="tab.alerts")
    [table] = [one.value for one in seen.dataframe if "ended_by" in one.value.columns]
    assert list(table["ended_by"]) == ["api:lee", "not recorded", "nobody: its time was over"]
    assert list(table["why"]) == [HOSTILE] * 3


def test_the_chart_has_two_axes_with_units_and_a_gap_where_nothing_was_measured() -> None:
    figure = load_over_time([point(0), point(10, p95_milliseconds=None)], words("en"), Formats("en"))
    bars, *lines = figure.data
    assert (bars.yaxis, [line.name for line in lines]) == ("y2", ["Response p50", "Response p95", "Response p99"])
    assert list(lines[1].y) == [1.0, None]
    assert (figure.layout.yaxis.title.text, figure.layout.yaxis2.title.text) == ("Response time (ms)", "Requests per minute")
    assert lines[0].x[0].isoformat() == "2026-03-01T21:00:00+09:00"
