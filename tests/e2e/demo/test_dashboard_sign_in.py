"""The dashboard's door in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from dashboard.pages import PAGES
from dashboard.words import texts
from tests.support.browser import Visitor, visitor

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(1500)]


TROUBLE = ("common.signed_out", "common.away", "common.not_allowed", "common.refused", "home.missing")


def troubles(seen: Visitor, language: str) -> list[str]:
    """What is broken, and what a page says of a part that is away or refused (what stands around the names in it)."""
    said = [max(re.split(r"{\w+}", texts(language)[key]), key=len).strip() for key in TROUBLE]
    shown = seen.page.locator('[data-testid="stApp"]').inner_text()
    return [*seen.page.locator('[data-testid="stException"]').all_inner_texts(), *(text for text in said if text in shown)]


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_opens_in_both_languages_without_an_error(open_as, lived, language: str, width: int) -> None:
    with open_as("admin", language=language, width=width) as seen:
        for spec in PAGES:
            seen.open(spec.path)
            expect(seen.page.get_by_role("heading", level=1)).to_have_text(texts(language)[f"{spec.name}.title"])
            assert troubles(seen, language) == [], spec.path
            seen.picture(lived.pictures, f"{spec.name}-{language}-{width}")
        assert seen.page.title() == "Video Social Analytics Dashboard"
        assert seen.errors == []


def test_the_language_that_was_chosen_is_remembered(open_as) -> None:
    with open_as("viewer", language="en") as seen:
        seen.page.get_by_text("한국어").click()
        seen.sees(texts("ko")["home.title"])
        seen.open("/")
        seen.sees(texts("ko")["home.title"])


def test_a_stranger_sees_the_sign_in_and_nothing_else(lived, browser) -> None:
    with visitor(browser, lived.url) as seen:
        seen.page.goto(f"{lived.url}/models")
        seen.page.fill("#name", "analyst")
        seen.page.fill("#password", "wrong")
        seen.page.click("button")
        seen.sees("Name or password is wrong")
        assert seen.page.locator('[data-testid="stApp"]').count() == 0
