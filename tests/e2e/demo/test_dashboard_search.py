"""Prediction search in a real browser: found by id, keyword and channel; drawn on the curves; hostile texts stay text."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Dialog, expect

from dashboard.charts.spread import share_above
from dashboard.parts.export import safe
from dashboard.words import texts
from evergreen.core.access import Role
from tests.support.browser import Visitor
from tests.support.charts_seen import chart

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(1500)]
HOSTILE_ID = "hostile-title"
HOSTILE = "=HYPERLINK(1) <img src=x onerror=alert(1)> [x](javascript:alert(2)) 적대적인제목"
WORDS = texts("en")


@pytest.fixture
def api(lived):
    with httpx.Client(base_url=lived.serving, headers=lived.headers(Role.ANALYST), timeout=20) as client:
        yield client


@pytest.fixture
def hostile(lived) -> Iterator[str]:
    lived.ask(
        "INSERT INTO videos (video_id, title, channel_title, category_id, view_count, like_count, comment_count, region, first_seen, last_seen) "
        "SELECT %s, %s, '@SUM(1)', 10, 7, 1, 1, 'KR', max(first_seen), max(first_seen) FROM videos RETURNING 1",
        HOSTILE_ID,
        HOSTILE,
    )
    yield HOSTILE_ID
    lived.ask("DELETE FROM videos WHERE video_id = %s RETURNING 1", HOSTILE_ID)


def look_for(seen: Visitor, words: str, by: str = "keyword") -> None:
    seen.page.get_by_role("radio", name=WORDS[f"search.by_{by}"]).or_(seen.page.get_by_role("button", name=WORDS[f"search.by_{by}"])).first.click()
    field = seen.page.get_by_role("textbox", name=WORDS[f"search.by_{by}"])
    field.fill(words)
    field.press("Enter")
    seen.settled()


def some_video(api: httpx.Client) -> dict[str, Any]:
    """With a Korean title, a channel and a prediction."""
    page = api.post("/search/keyword", json={"keyword": "이", "limit": 20}).json()
    found: dict[str, Any] = next(row for row in page["results"] if row["channel_title"] and row["prediction"])
    return found


def test_a_korean_keyword_finds_a_video_and_its_prediction_is_drawn_on_its_categorys_curves(open_as, api, lived) -> None:
    video = some_video(api)
    with open_as("analyst") as seen:
        seen.open("search")
        look_for(seen, video["title"][:40])
        seen.sees(video["title"])
        explained = api.post("/predict/video/explanation", json={"video_id": video["video_id"]}).json()
        told = api.get("/distribution", params={"metric": "performance", "category": video["category_id"]}).json()
        score, span = explained["performance_score"], explained["score_interval"]
        for key, curve in (("place-cdf", "cdf"), ("place-pdf", "pdf")):
            drawn = chart(seen, key)
            assert drawn["traces"][0]["y"] == pytest.approx(told[curve])
            assert (drawn["traces"][1]["mode"], drawn["traces"][1]["x"]) == ("markers", [score])
            assert [(shape["x0"], shape["x1"]) for shape in drawn["shapes"] if shape["type"] == "rect"] == [(span["lower"], span["upper"])]
        seen.sees(f"top {share_above(told['x'], told['cdf'], score):.1%}")
        seen.sees(f"{score:.1f}")
        seen.sees(f"Model {explained['model_version']}")
        assert len(chart(seen, "mattered")["traces"][0]["x"]) == min(len(explained["effects"]), 8)
        seen.picture(lived.pictures, "search-found-en-1280")
        assert seen.errors == []


@pytest.mark.parametrize("by", ["video_id", "channel"])
def test_it_is_found_by_its_id_and_by_its_channel(open_as, api, by: str) -> None:
    video = some_video(api)
    with open_as("viewer") as seen:
        seen.open("search")
        look_for(seen, video["video_id"] if by == "video_id" else video["channel_title"], by)
        seen.sees(video["channel_title"])
        chart(seen, "place-cdf")
        assert seen.errors == []


def test_the_banner_says_whether_a_video_was_seen_lately(open_as, api, lived) -> None:
    ends = lived.ask("(SELECT video_id FROM videos ORDER BY last_seen DESC LIMIT 1) UNION ALL (SELECT video_id FROM videos ORDER BY last_seen LIMIT 1)")
    said = {api.get(f"/bloom/videos/{video}").json()["status"]: video for (video,) in ends}
    assert len(said) == 2, said
    with open_as("analyst") as seen:
        seen.open("search")
        for status, video in said.items():
            look_for(seen, video, "video_id")
            seen.sees(WORDS["search.seen"] if status.startswith("probably") else WORDS["search.not_seen"])
        look_for(seen, "nobody-knows-me", "video_id")
        seen.sees(WORDS["search.unknown_video"])
        seen.sees(WORDS["search.not_seen"])
        assert [error for error in seen.errors if "404" not in error] == []


def test_a_changed_feature_moves_the_prediction(open_as, api) -> None:
    video = some_video(api)
    with open_as("analyst") as seen:
        seen.open("search")
        look_for(seen, video["video_id"], "video_id")
        seen.text(WORDS["search.what_if"]).click()
        seen.sees(WORDS["search.what_if_same"])
        field = seen.page.get_by_label(WORDS["names.feature.tag_count"])
        field.fill("60")
        field.press("Enter")
        drawn = chart(seen, "what-if-cdf")
        known = api.get(f"/videos/{video['video_id']}").json()["features"]
        asked = {"video_id": video["video_id"], "features": {**known, "tag_count": 60}}
        after = api.post("/predict/video/explanation", json=asked).json()["performance_score"]
        assert drawn["traces"][2]["x"] == [after]
        expect(seen.page.locator(".st-key-what_if_figures [data-testid='stMetricValue']").first).to_have_text(f"{after:.1f}")
        assert seen.errors == []


def test_hostile_texts_stay_text_on_the_page_and_in_the_table_that_is_taken_along(open_as, hostile, tmp_path) -> None:
    with open_as("analyst") as seen:
        dialogs: list[str] = []

        def closed(dialog: Dialog) -> None:
            dialogs.append(dialog.message)
            dialog.dismiss()

        seen.page.on("dialog", closed)
        seen.open("search")
        look_for(seen, "적대적인제목")
        seen.sees("<img src=x onerror=alert(1)> [x](javascript:alert(2))")
        assert seen.page.locator("img[src='x'], a[href^='javascript']").count() == 0
        with seen.page.expect_download() as taken:
            seen.page.get_by_role("button", name=WORDS["search.csv"]).click()
        taken.value.save_as(tmp_path / "predictions.csv")
        with (tmp_path / "predictions.csv").open(encoding="utf-8-sig", newline="") as file:
            [row] = list(csv.DictReader(file))
        assert (row["video_id"], row["title"], row["channel_title"]) == (hostile, "'" + HOSTILE, "'@SUM(1)")
        assert all(value == safe(value) for value in row.values())
        assert (dialogs, seen.errors) == ([], [])


@pytest.mark.parametrize(("language", "width", "dark"), [("ko", 1280, False), ("ko", 390, False), ("en", 390, True)])
def test_a_result_is_whole_on_a_small_screen_and_in_both_languages(open_as, api, lived, language: str, width: int, dark: bool) -> None:
    video = some_video(api)
    words = texts(language)
    with open_as("analyst", language=language, width=width, dark=dark) as seen:
        seen.open("search")
        seen.page.get_by_role("textbox", name=words["search.by_keyword"]).fill(video["title"][:40])
        seen.page.get_by_role("button", name=words["search.submit"]).click()
        seen.sees(words["search.score"])
        assert chart(seen, "place-cdf")["title"] == words["search.cdf"]
        seen.picture(lived.pictures, f"search-found-{language}-{width}{'-dark' if dark else ''}")
        assert seen.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert seen.errors == []
