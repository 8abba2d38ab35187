"""A headless Chromium that looks at the dashboard, as a person does: signs in, clicks, reads; every console error is kept."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect, sync_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
SECONDS = 20.0
expect.set_options(timeout=SECONDS * 1000)  # five seconds of its own would be less than a busy machine needs
PLACES = {"ko": "ko-KR", "en": "en-US"}


def program() -> str | None:
    """Where a Chromium is; `deploy/local/browser.sh` installs one where it may."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visitor:
    """One person's window."""

    page: Page
    url: str
    errors: list[str] = field(default_factory=list)
    """What the browser's console called an error, and exceptions nobody caught."""

    def __post_init__(self) -> None:
        self.page.set_default_timeout(SECONDS * 1000)
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def sign_in(self, name: str, password: str) -> None:
        self.page.goto(f"{self.url}/sign-in")
        self.page.fill("#name", name)
        self.page.fill("#password", password)
        self.page.click("button")
        self.settled()

    def open(self, path: str) -> None:
        self.page.goto(f"{self.url}/{path.lstrip('/')}")
        self.settled()

    def settled(self) -> None:
        """The script has run and everything it drew is there."""
        expect(self.page.locator("h1").first).to_be_visible(timeout=SECONDS * 1000)
        self.page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
        expect(self.page.locator('[data-testid="stSkeleton"]')).to_have_count(0, timeout=SECONDS * 1000)

    def text(self, text: str) -> Locator:
        return self.page.get_by_text(text, exact=False).first

    def sees(self, text: str, seconds: float = SECONDS) -> None:
        expect(self.text(text)).to_be_visible(timeout=seconds * 1000)

    def picture(self, folder: Path, name: str) -> None:
        self.page.screenshot(path=folder / f"{name}.png")


@contextmanager
def visitor(browser: Browser, url: str, *, language: str = "en", width: int = 1280, dark: bool = False) -> Iterator[Visitor]:
    """In a window of its own, with nobody's cookies."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, locale=PLACES[language], timezone_id="Asia/Seoul", color_scheme="dark" if dark else "light"
    )
    try:
        yield Visitor(context.new_page(), url)
    finally:
        context.close()
