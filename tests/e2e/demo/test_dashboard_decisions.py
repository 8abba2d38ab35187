"""Decisions, in a real browser: what was held back, the whole story of a drift, the policy's matrix, and a back-test one moves."""

from __future__ import annotations

import json
import re
from uuid import uuid4

import pytest
from playwright.sync_api import Locator, expect

from dashboard.words import texts
from tests.support.browser import Visitor

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(600)]
expect.set_options(timeout=30_000)
FOUND = re.compile(r"of \d+ decisions would differ")


def picked(visitor: Visitor, label: str, option: str) -> None:
    visitor.page.get_by_role("combobox", name=label).first.click()
    visitor.page.get_by_role("option", name=option, exact=True).click()
    visitor.settled()


def section(visitor: Visitor, name: str) -> None:
    visitor.page.get_by_role("radio", name=name, exact=True).click()
    visitor.settled()


def test_explain_tells_the_whole_story_of_a_drift(lived, open_as) -> None:
    retrained = (
        "SELECT severity FROM decisions WHERE event_type = 'data_drift_detected' AND outcome = 'accepted'"
        ' AND body LIKE \'%%"action":"retrain"%%\' ORDER BY decided_at DESC LIMIT 1'
    )
    [(severity,)] = lived.ask(retrained)
    with open_as("viewer") as visitor:
        visitor.open("decisions")
        picked(visitor, "Event", "Data drift detected")
        picked(visitor, "Severity", severity)
        picked(visitor, "Outcome", texts("en")["names.outcome.accepted"])
        visitor.page.get_by_role("button", name="Explain").first.click()
        story = visitor.page.get_by_role("dialog")
        for words in ("What happened", "Drifted:", "What was decided", "Guards passed", "What became of it", "Training completed"):
            expect(story.get_by_text(words).first).to_be_visible()
        expect(story.get_by_text(re.compile("all \\d+ gates passed|refused by")).first).to_be_visible()
        expect(story.get_by_role("link", name="Run in Airflow").first).to_have_attribute("href", re.compile("/dags/retrain/runs/"))
        visitor.picture(lived.pictures, "decisions-explain")
        assert visitor.errors == []


def test_what_was_held_back_says_by_what(lived, open_as) -> None:
    held = lived.ask("SELECT count(*) FROM decisions WHERE outcome = 'suppressed'")
    with open_as("viewer") as visitor:
        visitor.open("decisions")
        picked(visitor, "Outcome", "held back")
        if held == [(0,)]:
            visitor.sees("No decision matches")
        else:
            expect(visitor.page.get_by_text(re.compile("held back ·")).first).to_be_visible()
        assert visitor.errors == []


def test_an_action_has_an_address_of_its_own(lived, open_as) -> None:
    [(action, target)] = lived.ask("SELECT id::text, target FROM actions WHERE kind = 'promote' AND status = 'succeeded' ORDER BY accepted_at LIMIT 1")
    with open_as("viewer") as visitor:
        visitor.open(f"decisions?action={action}")
        story = visitor.page.get_by_role("dialog")
        expect(story.get_by_text(f"Promote of {target}: succeeded")).to_be_visible()
        visitor.page.keyboard.press("Escape")
        expect(story).to_have_count(0)
        assert visitor.errors == []


def test_what_happens_is_there_within_five_seconds_without_a_reload(lived, open_as) -> None:
    hostile = f"<img src=x onerror=alert(1)> {uuid4().hex[:8]}"
    event = {"dataset": "videos.KR", "batch_id": hostile, "kind": "nulls", "severity": "low"}
    with open_as("viewer") as visitor:
        visitor.open("decisions?view=events")
        visitor.page.evaluate("window.stayed = true")
        lived.command("events", "publish", "data.quality.issues", json.dumps(event))
        visitor.sees(hostile[:30], 5)
        assert visitor.page.evaluate("window.stayed")
        assert visitor.errors == []


def pressed(visitor: Visitor, key: str) -> None:
    """Home or End, on the slider that is there once the page has settled."""
    visitor.settled()
    slider = visitor.page.get_by_role("slider")
    slider.press(key)
    expect(slider).to_have_value(slider.get_attribute({"Home": "min", "End": "max"}[key]) or "")
    visitor.settled()


def differs(visitor: Visitor) -> Locator | None:
    """After the slider was moved: what it says, when anything would have been otherwise."""
    found = visitor.page.get_by_text(FOUND)
    expect(found).to_be_visible(timeout=60_000)
    return None if found.inner_text().startswith("None") else found


def test_a_moved_slider_shows_what_would_have_been_otherwise(lived, open_as) -> None:
    with open_as("analyst") as visitor:
        visitor.open("decisions?view=backtest")
        visitor.sees("Move the slider")
        for number in ("drifted features", "drift score", "performance drop"):
            visitor.page.get_by_role("combobox", name="Number").click()
            visitor.page.get_by_role("option", name=re.compile(f"is high: {number}")).click()
            pressed(visitor, "End")
            if differs(visitor) is not None:
                break
        else:
            pytest.fail("no number of the evidence made a difference to the story")
        expect(visitor.page.get_by_text("Policy in force").first).to_be_visible()
        expect(visitor.page.get_by_text(re.compile("With the moved number:")).first).to_be_visible()
        expect(visitor.page.locator(".js-plotly-plot")).to_be_visible()
        visitor.picture(lived.pictures, "decisions-backtest")
        pressed(visitor, "Home")
        expect(visitor.page.get_by_text(re.compile("→ 0"))).to_be_visible()
        assert visitor.errors == []


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize(("width", "dark"), [(1280, True), (390, False)], ids=["wide-dark", "narrow"])
def test_every_section_shows_real_records(lived, open_as, language: str, width: int, dark: bool) -> None:
    [(policy,)] = lived.ask("SELECT hash FROM policies ORDER BY activated_at DESC LIMIT 1")
    with open_as("viewer", language=language, width=width, dark=dark) as visitor:
        for name in ("decisions", "events", "policy", "backtest"):
            visitor.open(f"decisions?view={name}")
            if name == "policy":
                visitor.sees(policy[:12])
            visitor.picture(lived.pictures, f"decisions-{name}-{language}-{width}")
        assert visitor.errors == []
