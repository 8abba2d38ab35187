"""On the Korean pages people read Korean: none of the platform's own English sentences, none of its codes. And what they chose outlives the switch."""

from __future__ import annotations

import re
import string

import pytest
from playwright.sync_api import expect

from dashboard.words import texts

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PAGES = ("/", "/performance", "/search", "/drift", "/models", "/decisions", "/decisions?view=policy", "/decisions?view=backtest", "/recommendations", "/admin")
"""System's log and topics, and the events' own words, are the machine's."""
CODE = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b")
NAMES = re.compile(r"(?:video_performance|movie_recommender)(?:@\d+)?|\w+_cases?\b")
ICONS = '[data-testid="stIconMaterial"], [role="img"][translate="no"]'
LONG = 12


def sentences() -> list[str]:
    """Of the templates: what stands between the braces, where it is long enough to be nothing else."""
    said = [text for key, text in texts("en").items() if key.startswith("said.")]
    pieces = [piece.strip(" ;:,") for text in said for piece, *_ in string.Formatter().parse(text)]
    return [piece for piece in pieces if len(piece) >= LONG and " " in piece]


@pytest.mark.parametrize("path", PAGES)
def test_a_korean_page_reads_as_korean(open_as, path: str) -> None:
    with open_as("admin", language="ko") as visitor:
        visitor.open(path)
        main = visitor.page.locator('[data-testid="stMain"]')
        main.locator(ICONS).evaluate_all("icons => icons.forEach(icon => icon.remove())")
        read = main.inner_text()
        assert [piece for piece in sentences() if piece in read] == []
        assert CODE.findall(NAMES.sub("", read)) == []
        assert visitor.errors == []


def test_a_filter_outlives_the_switch_of_the_language(open_as) -> None:
    with open_as("admin", language="ko") as visitor:
        visitor.open("/decisions?lang=ko")
        severity = visitor.page.locator(".st-key-decisions_severity input")
        severity.click()
        visitor.page.get_by_role("option", name="보통", exact=True).click()
        visitor.settled()
        visitor.page.get_by_role("radio", name="English").or_(visitor.page.get_by_role("button", name="English")).first.click()
        expect(visitor.page.locator("h1")).to_have_text("Decisions")
        expect(severity).to_have_value("medium")
        assert visitor.errors == []
