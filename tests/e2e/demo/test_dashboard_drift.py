"""Drift & quality in a real browser: what the story left behind, the numbers as the API has them, and the report in its sandbox."""

from __future__ import annotations

import httpx
import pytest
from playwright.sync_api import expect

from dashboard.told import feature_words
from dashboard.words import texts, words
from evergreen.core.access import Role
from tests.support.browser import SECONDS
from tests.support.lived import Lived

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(1500)]
CHART = '[data-testid="stPlotlyChart"]'


def asked(lived: Lived, path: str) -> dict:
    answer = httpx.get(f"{lived.serving}{path}", headers=lived.headers(Role.VIEWER), timeout=20)
    answer.raise_for_status()
    found: dict = answer.json()
    return found


@pytest.mark.parametrize(("language", "width", "dark"), [("en", 1280, False), ("ko", 390, False), ("ko", 1280, True)])
def test_the_storys_drift_is_drawn_in_both_languages(open_as, lived: Lived, language: str, width: int, dark: bool) -> None:
    words = texts(language)
    reports = asked(lived, "/drift?model=video_performance")["reports"]
    with open_as("viewer", language=language, width=width, dark=dark) as seen:
        seen.open("/drift")
        seen.sees(words["drift.score.title"], 30)
        points = seen.page.locator(CHART).first.locator(".scatterlayer .points path")
        expect(points).to_have_count(len(reports), timeout=SECONDS * 1000)
        seen.sees(words["drift.heat.title"])
        seen.sees(words["drift.look.title"])
        overflow = seen.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0
        seen.page.wait_for_timeout(1500)  # charts move into place: for the picture alone
        seen.page.screenshot(path=lived.pictures / f"drift-{language}-{width}{'-dark' if dark else ''}.png", full_page=True)
        assert seen.errors == []


def test_a_features_numbers_are_the_apis_and_follow_the_choice(open_as, lived: Lived) -> None:
    newest = next(one for one in asked(lived, "/drift?model=video_performance")["reports"] if one["drifted"])
    report = asked(lived, f"/drift/reports/{newest['id']}")
    other = feature_words(words("en"), report["features"][1]["feature"])
    with open_as("analyst") as seen:
        seen.open("/drift")
        for feature in (report["features"][0], report["features"][1]):
            expect(seen.page.locator('[data-testid="stMetricValue"]').first).to_have_text(f"{feature['statistic']:.3f}", timeout=30_000)
            if feature is report["features"][0]:
                chosen = seen.page.get_by_role("combobox").last
                chosen.click()
                chosen.fill(other)
                options = [one.inner_text().removesuffix(" ●") for one in seen.page.get_by_role("option").all()]
                seen.page.get_by_role("option").nth(options.index(other)).click()
        if report["distributions"]:
            found = asked(lived, f"/drift/reports/{newest['id']}/distribution?feature={report['features'][1]['feature']}")
            assert sum(bar["current"] for bar in found["bars"]) == pytest.approx(1)
            seen.sees(texts("en")["drift.distribution.title"].format(feature=other))
            bars = seen.page.locator(f"{CHART} .barlayer .point path").filter(visible=True)  # the bar of no rows has no width
            expect(bars.first).to_be_visible(timeout=SECONDS * 1000)
        assert seen.errors == []


def test_evidentlys_report_runs_in_an_origin_of_its_own(open_as, lived: Lived) -> None:
    with open_as("viewer") as seen:
        seen.open("/drift")
        seen.page.get_by_text(texts("en")["drift.picture.show"]).click()
        frame = seen.page.frame_locator("iframe[src*='/reports/drift/']")
        expect(frame.get_by_text("age_hours").first).to_be_visible(timeout=60_000)
        inside = next(one for one in seen.page.frames if "/reports/drift/" in one.url)
        assert inside.evaluate("window.origin") == "null"
        assert inside.evaluate("(() => { try { return document.cookie } catch (error) { return 'refused' } })()") == "refused"
        assert inside.evaluate("fetch('/auth/token', {method: 'POST'}).then(() => 'answered', () => 'refused')") == "refused"
        assert [one for one in seen.errors if "/auth/token" not in one] == []  # the browser says that it refused


def test_issues_are_listed_with_their_reasons(open_as, lived: Lived) -> None:
    flagged = [one for one in asked(lived, "/quality?limit=200")["batches"] if one["issues"]]
    with open_as("viewer", language="ko") as seen:
        seen.open("/drift")
        seen.page.get_by_role("tab", name=texts("ko")["drift.tab.quality"]).click()
        seen.sees(texts("ko")["drift.quality.issues"], 30)
        if flagged:
            expect(seen.page.locator('[data-testid="stDataFrame"]').last).to_be_visible()
        seen.page.wait_for_timeout(1500)  # for the picture alone
        seen.picture(lived.pictures, "quality-ko-1280")
        assert seen.errors == []


def test_nobody_gets_a_report_without_signing_in(lived: Lived) -> None:
    newest = next(one for one in asked(lived, "/drift")["reports"] if one["drifted"])
    assert httpx.get(f"{lived.url}/reports/drift/{newest['id']}").status_code == 401
    assert httpx.get(f"{lived.serving}/drift/reports/{newest['id']}/picture").status_code == 401
