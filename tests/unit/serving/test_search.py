"""Search over HTTP, on twins: pages, predictions, degradation."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest

from evergreen.contracts.api_videos import ChannelPage, KeywordPage
from evergreen.ports.model import Rows
from evergreen.ports.serving import StoredFeatures
from tests.support.serving_bench import SPEC, Bench, Plain

pytestmark = pytest.mark.anyio
DAY = date(2025, 7, 20)
AS_OF = datetime(2025, 7, 20, tzinfo=UTC)


def fill(bench: Bench, *titles: str, **more: Any) -> None:
    for number, title in enumerate(titles):
        bench.videos.put(f"v{number}", title, DAY, view_count=100 - number, **more)
        bench.features.known[(SPEC.name, f"v{number}")] = StoredFeatures({"title": title, "channel_id": "UC1"}, AS_OF)


async def test_a_page_holds_the_videos_most_viewed_first_each_with_its_prediction(client: httpx.AsyncClient, bench: Bench) -> None:
    fill(bench, "여행 1", "음악", "제주 여행")
    answer = await client.post("/search/keyword", json={"keyword": "여행"})
    page = KeywordPage.model_validate_json(answer.content)
    assert answer.status_code == 200
    assert [(video.video_id, video.title) for video in page.results] == [("v0", "여행 1"), ("v2", "제주 여행")]
    assert [video.prediction and video.prediction.prediction for video in page.results] == [1.0, 1.0]
    assert (page.keyword, page.total_count, page.next_cursor, page.model_version, page.degraded) == ("여행", 2, None, f"{SPEC.name}@1", False)


async def test_all_predictions_of_a_page_are_one_call_and_two_questions_to_the_store(client: httpx.AsyncClient, bench: Bench) -> None:
    fill(bench, *[f"여행 {number}" for number in range(100)])
    bench.features.known[(SPEC.name, "channel:UC1")] = StoredFeatures({"channel_videos": 7.0}, AS_OF)
    model = bench.versions[1]
    assert isinstance(model, Plain)
    model.asked.clear()
    calls: list[int] = []
    answer = model.answer

    def counted(requests: Sequence[Mapping[str, Any]], rows: Rows = None) -> list[dict[str, Any]]:
        calls.append(len(requests))
        return answer(requests, rows)

    model.answer = counted  # type: ignore[method-assign]
    page = (await client.post("/search/keyword", json={"keyword": "여행", "limit": 100})).json()
    assert (len(page["results"]), calls, len(bench.features.together)) == (100, [100], 2)
    assert {request["channel_videos"] for request in model.asked} == {7.0}


async def test_pages_follow_each_other_without_gaps_or_doubles(client: httpx.AsyncClient, bench: Bench) -> None:
    for number in range(25):
        bench.videos.put(f"v{number:02}", "같은 제목", DAY, view_count=None if number % 5 == 0 else number % 3)
    found, cursor = [], None
    while True:
        page = (await client.post("/search/keyword", json={"keyword": "제목", "limit": 4, "cursor": cursor})).json()
        assert page["total_count"] == 25
        found += [video["video_id"] for video in page["results"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(found) == len(set(found)) == 25
    assert found[-5:] == ["v00", "v05", "v10", "v15", "v20"]


async def test_a_channel_is_found_by_its_id_and_by_part_of_its_name(client: httpx.AsyncClient, bench: Bench) -> None:
    bench.videos.put("a", "하나", DAY, channel_id="UC1", channel_title="BTS Official")
    bench.videos.put("b", "둘", DAY, channel_id="UC2", channel_title="다른 채널")
    for said in ("UC1", "bts"):
        page = ChannelPage.model_validate_json((await client.post("/search/channel", json={"channel": said})).content)
        assert [video.video_id for video in page.results] == ["a"]
    assert (await client.post("/search/channel", json={"channel": "uc1"})).json()["total_count"] == 0


async def test_a_video_without_stored_features_has_no_prediction_and_the_others_have(client: httpx.AsyncClient, bench: Bench) -> None:
    fill(bench, "여행", "여행")
    bench.videos.put("unknown", "여행", DAY)
    page = (await client.post("/search/keyword", json={"keyword": "여행"})).json()
    assert [video["prediction"] is None for video in page["results"]] == [False, False, True]
    assert page["degraded"] is False


async def test_without_a_champion_the_videos_come_without_predictions(bench: Bench) -> None:
    fill(bench, "여행")
    async with bench.client() as client:
        page = (await client.post("/search/keyword", json={"keyword": "여행"})).json()
    assert (page["total_count"], page["results"][0]["prediction"], page["model_version"]) == (1, None, None)
    assert (page["degraded"], page["degraded_reasons"]) == (True, ["no_champion"])


@pytest.mark.parametrize(("broken", "reason"), [pytest.param("features", "features_unavailable"), pytest.param("model", "model_failed")])
async def test_what_a_prediction_needs_is_missed_in_the_page_and_the_page_is_not_kept(
    client: httpx.AsyncClient, bench: Bench, broken: str, reason: str
) -> None:
    fill(bench, "여행")
    model = bench.versions[1]
    assert isinstance(model, Plain)
    bench.features.away, model.breaks = broken == "features", broken == "model"
    page = (await client.post("/search/keyword", json={"keyword": "여행"})).json()
    assert (page["results"][0]["prediction"], page["degraded_reasons"], bench.search_cache.pages) == (None, [reason], {})
    assert "secret" not in str(page)


async def test_without_postgres_search_says_when_to_come_back(client: httpx.AsyncClient, bench: Bench) -> None:
    bench.videos.away = True
    for path, body in (("/search/keyword", {"keyword": "여행"}), ("/search/channel", {"channel": "UC1"})):
        answer = await client.post(path, json=body)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["type"] == "urn:evergreen:problem:unavailable"


async def test_a_repeated_search_differs_only_in_what_it_says_of_itself(client: httpx.AsyncClient, bench: Bench) -> None:
    fill(bench, "여행")
    first = (await client.post("/search/keyword", json={"keyword": "여행"})).json()
    bench.videos.away = True
    second = (await client.post("/search/keyword", json={"keyword": "여행"})).json()
    assert [page.pop("cached") for page in (first, second)] == [False, True]
    assert [page.pop("processing_time") > 0 for page in (first, second)] == [True, True]
    assert first == second


async def test_what_several_ask_at_once_is_looked_up_once(client: httpx.AsyncClient, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(bench, "여행 1")
    looked, by_keyword = [], bench.videos.by_keyword

    async def slow(*asked: Any) -> Any:
        looked.append(asked)
        await asyncio.sleep(0.01)
        return await by_keyword(*asked)

    monkeypatch.setattr(bench.videos, "by_keyword", slow)
    answers = await asyncio.gather(*(client.post("/search/keyword", json={"keyword": "여행"}) for _ in range(8)))
    assert {(answer.status_code, answer.json()["total_count"]) for answer in answers} == {(200, 1)}
    assert len(looked) == 1
    assert sorted(answer.json()["cached"] for answer in answers) == [False] + [True] * 7


async def test_another_champion_and_another_batch_make_an_old_page_no_page(client: httpx.AsyncClient, bench: Bench) -> None:
    fill(bench, "여행")
    asked = {"keyword": "여행"}
    await client.post("/search/keyword", json=asked)
    await bench.deployed(2)
    page = (await client.post("/search/keyword", json=asked)).json()
    assert (page["cached"], page["model_version"], page["results"][0]["prediction"]["prediction"]) == (False, f"{SPEC.name}@2", 2.0)
    bench.generations.follow({"features": 2})
    assert (await client.post("/search/keyword", json=asked)).json()["cached"] is False


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"keyword": ""}, id="empty"),
        pytest.param({"keyword": " \t\n"}, id="white-space"),
        pytest.param({"keyword": "a\u0000b"}, id="nul"),
        pytest.param({"keyword": "a" * 201}, id="long"),
        pytest.param({"keyword": 7}, id="a-number"),
        pytest.param({"keyword": "a", "limit": 0}, id="limit-0"),
        pytest.param({"keyword": "a", "limit": 101}, id="limit-101"),
        pytest.param({"keyword": "a", "limit": "10"}, id="limit-a-text"),
        pytest.param({"keyword": "a", "page": 2}, id="unknown-field"),
        pytest.param({"keyword": "a", "cursor": "nonsense"}, id="a-strange-cursor"),
        pytest.param({"keyword": "a", "cursor": "WyIxIl0"}, id="another-lists-cursor"),
        pytest.param({"keyword": "a", "cursor": "WyI5OTk5OTk5OTk5OTk5OTk5OTk5IiwgInYiXQ"}, id="a-rank-beyond-a-bigint"),
    ],
)
async def test_what_cannot_be_looked_for_is_refused(client: httpx.AsyncClient, bench: Bench, body: dict[str, Any]) -> None:
    bench.videos.put("v", "a", DAY)
    answer = await client.post("/search/keyword", json=body)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:evergreen:problem:invalid-request")
