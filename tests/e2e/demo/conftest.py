"""One stack that has played the story, for the tests of the story and of what people see of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support.browser import Visitor, chromium, program, visitor
from tests.support.intake_stack import until
from tests.support.lived import Lived, played, ratings


@pytest.fixture(scope="package")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    with played(Path(tmp_path_factory.mktemp("demo"))) as found:
        yield found


@pytest.fixture(scope="package")
def movies(lived: Lived) -> Lived:
    """The recommender's first version serves there too."""
    lived.command("load", "movies", str(ratings(lived.home.parent / "movielens")))
    lived.command("models", "train", "movie_recommender")
    until(lambda: lived.ask("SELECT count(*) FROM champions WHERE model = 'movie_recommender'") == [(1,)], 300)
    return lived


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if program() is None:
        pytest.skip("no Chromium here: `deploy/local/browser.sh` installs one where it may (apt install chromium fonts-nanum)")
    with chromium() as found:
        yield found


@pytest.fixture
def open_as(lived: Lived, browser: Browser) -> Callable[..., AbstractContextManager[Visitor]]:
    """Somebody signed in: `open_as("analyst", language="ko", width=390, dark=True)`."""

    @contextmanager
    def opened(name: str, *, language: str = "en", width: int = 1280, dark: bool = False) -> Iterator[Visitor]:
        with visitor(browser, lived.url, language=language, width=width, dark=dark) as found:
            found.sign_in(name, lived.accounts[name])
            yield found

    return opened
