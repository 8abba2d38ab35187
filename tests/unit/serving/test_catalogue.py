"""One video, distributions and the seen index over HTTP, on twins."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest

from evergreen.contracts.api_videos import SeenIndexStats, SpreadPage, VideoDetail
from evergreen.ports.seen_index import DayFilter, SeenStats
from evergreen.ports.serving import StoredFeatures
from tests.support.serving_bench import NOW, SPEC, Bench

pytestmark = pytest.mark.anyio
DAY = date(2025, 7, 20)
TODAY = NOW.date()


async def test_a_video_is_shown_with_what_a_prediction_of_it_rests_on(client: httpx.AsyncClient, bench: Bench) -> None:
    as_of = datetime(2025, 7, 20, tzinfo=UTC)
    bench.videos.put("v", "<img src=x>", DAY, view_count=200, like_count=9, comment_count=1, tags=["여행"])
    bench.features.known[(SPEC.name, "v")] = StoredFeatures({"title_length": 11.0}, as_of)
    found = VideoDetail.model_validate_json((await client.get("/videos/v")).content)
    assert (found.title, found.tags, found.engagement_rate) == ("<img src=x>", ["여행"], 0.05)
    assert (found.features, found.features_as_of) == ({"title_length": 11.0}, as_of)


async def test_of_a_stranger_and_without_postgres_nothing_is_shown(client: httpx.AsyncClient, bench: Bench) -> None:
    answer = await client.get("/videos/stranger")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:evergreen:problem:not-found")
    bench.videos.away = True
    for path in ("/videos/v", "/distribution?metric=engagement", "/distribution"):
        answer = await client.get(path)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def fill(bench: Bench) -> None:
    for number in range(100):
        category, day = (10, 20, 99)[number % 3], DAY + timedelta(days=number % 10)
        bench.videos.put(f"v{number}", "a", day, category_id=category, view_count=10**4 + number * 1000, like_count=number, comment_count=0)


async def test_performance_is_drawn_on_the_champions_scale_with_both_names_of_each_category(client: httpx.AsyncClient, bench: Bench) -> None:
    fill(bench)
    page = SpreadPage.model_validate_json((await client.get("/distribution")).content)
    assert (page.metric, page.n, page.threshold, page.model_version) == ("performance", 100, 90.0, f"{SPEC.name}@1")
    assert (page.x[0], page.x[-1], page.cdf[0], page.cdf[-1]) == (0.0, 100.0, 0.0, 1.0)
    assert [(one.category_id, one.name_ko, one.name_en, one.n) for one in page.categories] == [
        (10, "음악", "Music", 34),
        (20, "게임", "Gaming", 33),
        (99, None, None, 33),
    ]


async def test_filters_change_what_is_drawn(client: httpx.AsyncClient, bench: Bench) -> None:
    fill(bench)
    asked = {"metric": "engagement", "from": "2025-07-22", "to": "2025-07-24", "category": ["10", "20"], "threshold": "0.001"}
    page = SpreadPage.model_validate_json((await client.get("/distribution", params=asked)).content)
    assert (page.first_day, page.last_day, page.threshold, page.model_version) == (date(2025, 7, 22), date(2025, 7, 24), 0.001, None)
    assert {one.category_id for one in page.categories} == {10, 20}
    assert 0 < page.n < 30
    assert page.share_above is not None
    assert page.mean is not None
    nothing = SpreadPage.model_validate_json((await client.get("/distribution", params={"from": "9999-12-31"})).content)
    assert (nothing.n, nothing.x, nothing.cdf, nothing.pdf, nothing.mean, nothing.median, nothing.share_above) == (0, [], [], [], None, None, None)


async def test_without_a_champion_engagement_is_drawn_and_performance_is_not(bench: Bench) -> None:
    fill(bench)
    async with bench.client() as client:
        assert (await client.get("/distribution?metric=engagement")).status_code == 200
        answer = await client.get("/distribution?metric=performance")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:evergreen:problem:no-champion")


async def test_a_version_without_a_reference_places_nothing(client: httpx.AsyncClient, bench: Bench) -> None:
    bench.reference.clear()
    assert (await client.get("/distribution")).json()["type"] == "urn:evergreen:problem:no-champion"


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("from=2025-07-02&to=2025-07-01", id="backwards"),
        pytest.param("from=yesterday", id="no-date"),
        pytest.param("from=10000-01-01", id="a-year-too-far"),
        pytest.param("to=0000-01-01", id="no-year"),
        pytest.param("category=music", id="a-word-for-a-category"),
        pytest.param("category=-1", id="a-category-below-nought"),
        pytest.param("category=2147483648", id="a-category-too-large"),
        pytest.param("&".join(["category=1"] * 51), id="too-many-categories"),
        pytest.param("threshold=101", id="a-threshold-above-all"),
        pytest.param("metric=engagement&threshold=1.5", id="an-engagement-above-all"),
        pytest.param("threshold=nan", id="no-number"),
        pytest.param("metric=views", id="another-measure"),
        pytest.param("form=2025-07-01", id="a-mistyped-filter"),
    ],
)
async def test_filters_that_mean_nothing_are_refused(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/distribution?{query}")
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:evergreen:problem:invalid-request")


@pytest.mark.parametrize(
    ("days", "status"),
    [
        pytest.param(7, "probably seen in the last 7 days", id="the-window"),
        pytest.param(3, "probably seen in the last 3 days", id="just-within"),
        pytest.param(2, "not seen in the last 2 days", id="just-outside"),
        pytest.param(1, "not seen in the last day", id="today"),
    ],
)
async def test_not_seen_is_certain_and_probably_is_not(client: httpx.AsyncClient, bench: Bench, days: int, status: str) -> None:
    bench.seen_days.days[TODAY - timedelta(days=2)] = {"v"}
    assert (await client.get(f"/bloom/videos/v?days={days}")).json() == {"video_id": "v", "days": days, "status": status, "certain": status.startswith("not")}


async def test_the_seen_index_tells_what_it_holds(client: httpx.AsyncClient, bench: Bench) -> None:
    bench.seen_days.found = SeenStats((DayFilter(TODAY, 1, 100_000, 60_000.4, 10**6, 0.001), DayFilter(DAY, 2, 300_000, 1.0, 10**7, 0.0)), 0.001, True)
    found = SeenIndexStats.model_validate_json((await client.get("/bloom/stats")).content)
    assert found.model_dump() == {
        **{"total_filters": 2, "total_capacity": 400_000, "estimated_items": 60_001, "false_positive_rate": 0.001, "bits": 11 * 10**6, "ready": True}
    }


async def test_without_redis_nothing_is_said_of_any_video(client: httpx.AsyncClient, bench: Bench) -> None:
    bench.seen_days.away = True
    for path in ("/bloom/videos/v", "/bloom/stats"):
        answer = await client.get(path)
        assert (answer.status_code, answer.headers["retry-after"], answer.json()["type"]) == (503, "1", "urn:evergreen:problem:unavailable")


@pytest.mark.parametrize("path", ["/bloom/videos/v?days=0", "/bloom/videos/v?days=8", "/bloom/videos/v?days=week", "/bloom/videos/%00", f"/videos/{'v' * 65}"])
async def test_questions_that_mean_nothing_are_refused(client: httpx.AsyncClient, path: str) -> None:
    answer: Any = await client.get(path)
    assert answer.status_code == 422
