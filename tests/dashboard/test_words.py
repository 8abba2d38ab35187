"""Both languages say the same things, and nothing that nobody asks for."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from dashboard.pages import PAGES
from dashboard.words import LANGUAGES, chosen, texts

SOURCES = Path("dashboard")
KEY = re.compile(r"""\bt\(\s*["']([a-z_]+(?:\.[a-z0-9_]+)+)["']""")


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_every_text_with_the_same_places_to_fill_in() -> None:
    english, korean = texts("en"), texts("ko")
    assert english.keys() == korean.keys()
    assert {key for key in english if fields(english[key]) != fields(korean[key])} == set()


def test_every_text_a_page_asks_for_is_there() -> None:
    asked = {key for file in SOURCES.rglob("*.py") if file.name != "words.py" for key in KEY.findall(file.read_text())}
    assert len(asked) > 5
    assert asked - texts("en").keys() == set()


def test_korean_is_korean() -> None:
    """Names and symbols apart: most texts hold Hangul."""
    korean = texts("ko")
    assert sum(bool(re.search("[가-힣]", text)) for text in korean.values()) > 0.8 * len(korean)


@pytest.mark.parametrize("spec", PAGES, ids=lambda spec: spec.name)
def test_a_page_has_a_title_and_a_place_in_the_menu(spec) -> None:
    for language in LANGUAGES:
        assert {f"{spec.name}.menu", f"{spec.name}.title"} <= texts(language).keys()
    assert callable(spec.load())


@pytest.mark.parametrize(
    ("asked", "remembered", "accepted", "language"),
    [
        ("ko", "en", "en", "ko"),
        (None, "ko", "en-US,en", "ko"),
        ("fr", None, "ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        (None, None, "en-GB,en;q=0.9,ko;q=0.8", "en"),
        (None, "<script>", "fr-FR", "en"),
        (None, None, "", "en"),
    ],
)
def test_the_address_comes_before_the_cookie_and_that_before_the_browser(asked, remembered, accepted, language) -> None:
    assert chosen(asked, remembered, accepted) == language
