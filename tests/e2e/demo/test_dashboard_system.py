"""The system page in a real browser: its chart moves while nobody touches it, and what it shows is what the API says."""

from __future__ import annotations

import httpx
import pytest
from playwright.sync_api import expect

from dashboard.words import texts
from evergreen.core.access import Role
from tests.support.worker_processes import until

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(1500)]
NEWEST = "() => { const lines = document.querySelector('.js-plotly-plot').data; return [lines.length, lines[0].x.length, lines[0].x.at(-1)]; }"
"""How many traces, how many points, and the newest instant."""
SECONDS = 60.0
"""The monitor measures every ten; the page looks every five."""


def asked(lived, path: str) -> httpx.Response:
    return httpx.get(f"{lived.serving}{path}", headers=lived.headers(Role.OPERATOR), timeout=20)


def test_the_live_chart_moves_without_a_reload(open_as, lived) -> None:
    with open_as("viewer") as seen:
        seen.open("/system")
        seen.page.wait_for_selector(".js-plotly-plot .main-svg")
        seen.page.evaluate("() => { window.sameDocument = true; }")
        before = seen.page.evaluate(NEWEST)
        assert before[0] == 4
        until(lambda: asked(lived, "/models").is_success and seen.page.evaluate(NEWEST)[2] > before[2], SECONDS)
        assert seen.page.evaluate("() => window.sameDocument"), "the page was loaded anew"
        points = asked(lived, "/system/series?minutes=60").json()["points"]
        assert abs(len(points) - seen.page.evaluate(NEWEST)[1]) <= 2
        seen.picture(lived.pictures, "system-live")
        assert seen.errors == []


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_parts_topics_alerts_and_warnings_are_there_in_both_languages(open_as, lived, language: str, width: int, dark: bool) -> None:
    say = texts(language)
    with open_as("analyst", language=language, width=width, dark=dark) as seen:
        seen.open("/system")
        for name in ("serving", "kafka", "postgres", "intake"):
            expect(seen.page.get_by_text(name).locator("visible=true").first).to_be_visible()
        seen.sees(say["system.hops.title"])
        for number, tab in enumerate(("topics", "alerts", "log"), 1):
            seen.page.get_by_role("tab").nth(number).click()
            expect(seen.page.get_by_role("tab", name=say[f"system.tab.{tab}"])).to_have_attribute("aria-selected", "true")
            seen.settled()
            seen.picture(lived.pictures, f"system-{tab}-{language}-{width}")
        expect(seen.page.get_by_role("button", name=say["system.silences.begin"])).to_have_count(0)
        assert seen.errors == []


def test_an_operator_silences_with_a_reason_and_ends_it(open_as, lived) -> None:
    reason = "<img src=x onerror=alert(1)> while we look"
    with open_as("admin") as seen:
        seen.open("/system")
        seen.page.get_by_role("tab", name=texts("en")["system.tab.alerts"]).click()
        seen.page.get_by_label("Model, service or dataset").fill("nothing_of_this_name")
        seen.page.get_by_label("Reason", exact=True).fill(reason)
        seen.page.get_by_role("button", name="Silence", exact=True).click()
        seen.sees(f"api:admin: {reason}")
        [made] = [one for one in asked(lived, "/silences").json()["silences"] if one["model"] == "nothing_of_this_name" and one["running"]]
        assert (made["who"], made["reason"], made["up_to"]) == ("api:admin", reason, "high")
        seen.page.get_by_role("button", name="End", exact=True).first.click()
        expect(seen.text(f"api:admin: {reason}")).to_have_count(0)
        assert seen.errors == []


def test_topics_are_as_far_as_the_broker_says(lived) -> None:
    topics = {one["name"]: one for one in asked(lived, "/system/topics").json()["topics"]}
    assert topics["data.ingested"]["messages"] > 0
    assert topics["system.metrics"]["per_minute"] > 0
    assert set(topics["prediction.completed"]["lag"]) == {"evergreen-indexer-records"}
    log = asked(lived, "/system/log?limit=100").json()
    assert log["kept"]
    assert {line["level"] for line in log["lines"]} <= {"warning", "error", "critical"}
