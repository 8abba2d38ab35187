"""The catalogue's services joined as a worker joins them, on real Postgres and Redis."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest
import redis

from evergreen.adapters.postgres.store import PostgresStore
from evergreen.adapters.redis_bloom import RedisSeenIndex
from evergreen.contracts.api_videos import FoundVideo, KeywordPage, SeenAnswer, SeenIndexStats, SpreadPage, VideoDetail
from evergreen.core.clock import ClockReading
from evergreen.ports.catalogue import SpreadOf
from evergreen.ports.index import FeatureRow
from evergreen.ports.serving import Champion, LoadedModel
from evergreen.services.search import SearchFor
from evergreen.settings import Settings
from serving.catalogue import Catalogue, build_catalogue
from serving.clock import PlatformTime
from serving.dependencies import Links
from serving.metrics import Metrics
from serving.model_slot import ModelSlots
from tests.support.claims import emptied
from tests.support.serving_bench import NOW, SPEC, Plain

pytestmark = [pytest.mark.anyio, pytest.mark.connected]
DAY = date(2025, 7, 24)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Worker:
    catalogue: Catalogue
    model: Plain
    links: Links


@pytest.fixture
async def workers(stack_settings: Settings) -> AsyncIterator[list[Worker]]:
    made = [_worker(stack_settings) for _ in range(2)]
    yield made
    for worker in made:
        await worker.links.postgres.close()
        await worker.links.redis.close()


def _worker(given: Settings) -> Worker:
    links, slots, clock, model = Links(given, Metrics()), ModelSlots(), PlatformTime(), Plain(1)
    clock.follow(ClockReading("replay", NOW, NOW, 0.0, 1))
    loaded = LoadedModel(SPEC, 1, model, "0" * 16, lambda matrix: np.zeros(len(matrix)), reference={"*": [step / 5 for step in range(41)]})
    slots.swap(Champion(loaded, 1))
    return Worker(build_catalogue(links, slots, SPEC, clock, ThreadPoolExecutor(1)), model, links)


@pytest.fixture
def filled(stack_settings: Settings) -> None:
    client: redis.Redis = redis.Redis.from_url(stack_settings.redis.url.get_secret_value())
    client.flushdb()
    index = RedisSeenIndex(client)
    index.begin_rebuild()
    index.replace_day(DAY, ["v0"])
    index.end_rebuild(DAY)
    store = emptied(PostgresStore(stack_settings.postgres.dsn.get_secret_value()))
    base = {"region": "KR", "first_seen": DAY, "last_seen": DAY, "channel_id": "UC1", "category_id": 10, "like_count": 3, "comment_count": 2}
    with store.transaction() as tx:
        tx.videos.upsert([{**base, "video_id": f"v{number}", "title": f"여행 {number}", "view_count": 100 - number} for number in range(40)])
        known = [FeatureRow(SPEC.name, f"v{number}", {"title_length": 4.0, "channel_id": "UC1"}, datetime(2025, 7, 25, tzinfo=UTC)) for number in range(20)]
        tx.online_features.upsert([*known, FeatureRow(SPEC.name, "channel:UC1", {"channel_videos": 9.0}, datetime(2025, 7, 25, tzinfo=UTC))])
    store.close()


def said(body: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(body)
    return found


@pytest.mark.usefixtures("filled")
async def test_a_page_rests_on_stored_features_and_where_there_are_none_on_the_catalogue(workers: list[Worker]) -> None:
    page = KeywordPage.model_validate(said(await workers[0].catalogue.search.run(SearchFor("keyword", "여행", 40))))
    assert [video.video_id for video in page.results] == [f"v{number}" for number in range(40)]
    assert (page.total_count, page.degraded, len(workers[0].model.asked)) == (40, False, 40)
    assert all(isinstance(video, FoundVideo) and video.prediction is not None for video in page.results)
    first, last = workers[0].model.asked[0], workers[0].model.asked[-1]
    assert (first["channel_videos"], first["title_length"]) == (9.0, 4.0)
    assert (last["channel_videos"], last["title"]) == (9.0, "여행 39")


@pytest.mark.usefixtures("filled")
async def test_another_worker_gives_the_same_page_without_searching(workers: list[Worker]) -> None:
    asked = SearchFor("keyword", "여행", 5)
    first = said(await workers[0].catalogue.search.run(asked))
    second = said(await workers[1].catalogue.search.run(asked))
    assert (first.pop("cached"), second.pop("cached"), workers[1].model.asked) == (False, True, [])
    del first["processing_time"], second["processing_time"]
    assert first == second


@pytest.mark.usefixtures("filled")
async def test_a_video_its_distribution_and_its_traces_in_the_seen_index(workers: list[Worker]) -> None:
    catalogue = workers[0].catalogue
    video = VideoDetail(**await catalogue.video.run("v0"))
    assert (video.first_view_count, video.engagement_rate, video.features) == (100, 0.05, {"title_length": 4.0, "channel_id": "UC1"})
    page = SpreadPage(**await catalogue.spread.run(SpreadOf("performance", DAY, DAY, (10,), 25.0)))
    assert (page.n, page.categories[0].name_ko) == (40, "음악")
    assert page.share_above == pytest.approx(1 / 40)  # log10 of 100 views stands at 25
    seen = [SeenAnswer(**await catalogue.seen.of_video(video, days)) for video, days in (("v0", 7), ("v0", 1), ("stranger", 7))]
    assert [(one.status, one.certain) for one in seen] == [
        ("probably seen in the last 7 days", False),
        ("not seen in the last day", True),
        ("not seen in the last 7 days", True),
    ]
    assert SeenIndexStats(**await catalogue.seen.stats()).total_filters == 1
