"""The dashboard over a catalogue of generated videos, in a real Chromium: `python -m benchmarks.pages [--videos 1000000] [--rounds 5]`.

A page's first paint is the browser's own first-contentful-paint. A filter is moved by the keyboard; it has acted when the curve holds the new
threshold. Says its figures itself."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2

from benchmarks.fleet import fleet
from benchmarks.material import prepared
from benchmarks.search_videos import load
from evergreen.local_stack.credentials import load_credentials
from evergreen.local_stack.home import Home
from evergreen.local_stack.testing import stack
from evergreen.settings import Settings
from tests.support.browser import Visitor, chromium, program, visitor
from tests.support.charts_seen import chart
from tests.support.worker_processes import until

PARTS = {"postgres", "kafka", "redis", "serving", "dashboard"}
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
PAINT_BAR, FILTER_BAR = 2_000.0, 500.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    given: Any = parser.parse_args()
    if program() is None:
        raise SystemExit("no Chromium here: deploy/local/browser.sh installs one where it may")
    with tempfile.TemporaryDirectory(prefix="eg-bench-") as folder, stack(PARTS) as settings:
        with closing(psycopg2.connect(settings.postgres.admin_dsn.get_secret_value())) as connection:  # no transaction: it ends with VACUUM
            load(connection, given.videos)
        with fleet(settings, prepared(Path(folder))) as serving:
            serving.await_live(settings.serving.min_workers)
            serving.promote(1)
            measure(settings, given.rounds)


def measure(settings: Settings, rounds: int) -> None:
    url = f"http://{settings.dashboard.host}:{settings.dashboard.port}"
    password = load_credentials(Home(settings.home)).serving_accounts["analyst"]
    with chromium() as browser, visitor(browser, url) as seen:
        seen.sign_in("analyst", password)
        for page in ("performance", "search"):
            painted, drawn = zip(*(_opened(seen, page) for _ in range(rounds)), strict=True)
            _say(f"{page}: first contentful paint", painted, PAINT_BAR)
            _say(f"{page}: everything drawn", drawn)
        seen.open("performance")
        moved = [_moved(seen, key) for _ in range(rounds) for key in ("ArrowLeft", "ArrowRight")]
        _say("performance: a filter, until the curve has it", moved, FILTER_BAR)


def _opened(seen: Visitor, page: str) -> tuple[float, float]:
    """Milliseconds to the first paint, and until the page has settled."""
    begun = time.perf_counter()
    seen.open(page)
    if page == "performance":
        chart(seen, "performance-cdf")
    return seen.page.evaluate(PAINT), 1000 * (time.perf_counter() - begun)


def _moved(seen: Visitor, key: str) -> float:
    slider = seen.page.locator('[data-testid="stSlider"] input[type="range"]').first
    slider.focus()
    before = _threshold(seen)
    begun = time.perf_counter()
    slider.press(key)
    until(lambda: _threshold(seen) != before, 30)
    return 1000 * (time.perf_counter() - begun)


def _threshold(seen: Visitor) -> float:
    return float(chart(seen, "performance-cdf")["shapes"][0]["x0"])


def _say(what: str, milliseconds: tuple[float, ...] | list[float], bar: float | None = None) -> None:
    worst, middle = max(milliseconds), statistics.median(milliseconds)
    verdict = "" if bar is None else f"   asked: {bar:,.0f} ms   {'reached' if middle <= bar else 'MISSED'}"
    print(f"{what:<50} median {middle:7,.0f} ms   worst {worst:7,.0f} ms{verdict}")  # noqa: T201


if __name__ == "__main__":
    main()
