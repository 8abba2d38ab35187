"""Home in a real browser: the loop as it is, and a drift that is told on Kafka seen by whoever happens to look."""

from __future__ import annotations

import re
import time
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from dashboard.words import texts
from evergreen.adapters.kafka import KafkaPublisher
from evergreen.adapters.postgres.clock import PlatformClock
from evergreen.adapters.postgres.store import PostgresStore
from tests.support.browser import Visitor
from tests.support.events import event
from tests.support.lived import Lived

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(1500)]
SEEN_WITHIN = 5.0
HOSTILE = "<img src=x onerror=alert(1)>"
DECIDED = "SELECT d.model, d.seq FROM decisions d JOIN events e ON e.source = d.event_source AND e.id = d.event_id WHERE e.subject = %s"
FLOW = ".eg-flow li"


def drifted(lived: Lived, subject: str) -> None:
    """A small drift of the champion: the policy watches closer, and trains nothing. Returns once Kafka has it."""
    store = PostgresStore(lived.settings.postgres.dsn.get_secret_value())
    publisher = KafkaPublisher(lived.settings.kafka)
    [(version,)] = lived.ask("SELECT version FROM champions WHERE model = 'video_performance'")
    feature = {"name": "age_hours", "effect": 0.3, "q_value": 1e-9, "direction": HOSTILE, "kind": "distribution"}
    try:
        told: dict[str, Any] = {"model_version": f"video_performance@{version}", "affected_features": [feature]}
        publisher.publish(event("data_drift_detected", at=PlatformClock(store).now(), subject=subject, **told))
    finally:
        publisher.close()
        store.close()


def seconds_until(seen: Visitor, text: str, begun: float) -> float:
    seen.sees(text, SEEN_WITHIN)
    return time.monotonic() - begun


def test_a_drift_told_on_kafka_appears_on_home_and_decisions_within_five_seconds(open_as, lived: Lived) -> None:
    subject = f"drill {HOSTILE} {uuid4().hex[:8]}"
    with open_as("viewer") as home, open_as("analyst") as others:
        others.open("/decisions")
        home.open("/")
        before = home.page.locator(FLOW).nth(1).inner_text()
        begun = time.monotonic()
        drifted(lived, subject)
        took = seconds_until(home, subject, begun)
        print(f"drift on Home after {took:.1f} s")  # noqa: T201 - a figure
        [(model, seq)] = lived.ask(DECIDED, subject)
        others.sees(f"{model}/{seq}", max(SEEN_WITHIN - (time.monotonic() - begun), 0.5))
        print(f"on Decisions after {time.monotonic() - begun:.1f} s at the latest")  # noqa: T201 - a figure
        assert home.page.locator("img[src=x]").count() == 0
        expect(home.page.locator(FLOW).nth(1)).to_contain_text(texts("en")["names.event.data_drift_detected"])
        assert home.page.locator(FLOW).nth(1).inner_text() != before
        assert home.errors == others.errors == []


@pytest.mark.parametrize(("language", "width", "dark"), [("en", 1280, False), ("ko", 390, False), ("ko", 1280, True), ("en", 390, True)])
def test_the_loop_is_there_in_both_languages_wide_and_narrow(open_as, lived: Lived, language: str, width: int, dark: bool) -> None:
    words = texts(language)
    [(version,)] = lived.ask("SELECT version FROM champions WHERE model = 'video_performance'")
    with open_as("analyst", language=language, width=width, dark=dark) as seen:
        seen.open("/")
        expect(seen.page.locator(FLOW)).to_have_count(5)
        assert f"video_performance@{version}" in seen.page.locator(FLOW).nth(3).inner_text()
        for name in ("event_handling", "action_success", "availability"):
            seen.sees(words[f"home.promises.{name}"])
        seen.sees(words["home.replaying"].partition("{")[0].strip())
        overflow = seen.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0
        seen.page.screenshot(path=lived.pictures / f"home-{language}-{width}{'-dark' if dark else ''}.png", full_page=True)
        assert seen.errors == []


def test_it_looks_again_without_a_reload_and_each_station_leads_on(open_as, lived: Lived) -> None:
    with open_as("viewer") as seen:
        seen.open("/")
        seen.page.evaluate("window.unchanged = true")
        clock = seen.page.get_by_text(re.compile(r"Platform time")).first
        first = clock.inner_text()
        expect(clock).not_to_have_text(first, timeout=8000)
        assert seen.page.evaluate("window.unchanged") is True
        seen.page.locator(f"{FLOW} a[href='/drift']").press("Enter")
        expect(seen.page).to_have_url(f"{lived.url}/drift")
        seen.sees(texts("en")["drift.score.title"], 30)
        assert seen.errors == []
