"""Users who are known from batches, on real Kafka, Postgres, Redis and Delta tables: lists of their own, by the worker and by serving, and forgotten."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pandas as pd
import pytest

from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.adapters.feature_copies import copy_key
from evergreen.adapters.online_features import OnlineFeatureStore
from evergreen.adapters.redis_link import RedisLink
from evergreen.adapters.redis_lists import RedisLists
from evergreen.contracts.events import DataProcessed, Window
from evergreen.core.clock import wall_now
from evergreen.core.earlier import entity_of
from evergreen.core.recommending import MODEL, Taste
from evergreen.domains.movies.live import batch_of
from evergreen.domains.movies.names import AT, DATASET, MOVIE, TIME, USER
from evergreen.ports.recommending import Ranker
from evergreen.ports.serving import Champion
from evergreen.services.read_tastes import ReadTastes
from evergreen.services.recommend import Recommend, Recommended, Wanted
from evergreen.settings import Settings
from serving.model_slot import ModelSlots
from tests.support.intake_stack import until
from tests.support.listed import Ranking, champion
from tests.support.recommender_bench import RecommenderBench, published, recommender_bench, said
from tests.support.tiny_ranker import TinyRanker

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.anyio, pytest.mark.timeout(240)]
BEGIN = wall_now() - timedelta(hours=6)
RATED = {"10": 5.0, "12": 4.0, "13": 1.0, "30": 3.0}
AWAY = "postgresql://nobody@127.0.0.1:1/none"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def bench(stack_settings: Settings) -> Iterator[RecommenderBench]:
    with recommender_bench(stack_settings) as made:
        lake = made.parts.settings.data_dir
        shutil.rmtree(lake / "silver" / DATASET, ignore_errors=True)
        made.parts.recommender.profiles.say_whole()
        yield made
        shutil.rmtree(lake / "silver" / DATASET, ignore_errors=True)


def ratings(user: str, rated: dict[str, float], begin: datetime = BEGIN) -> pd.DataFrame:
    return pd.DataFrame({USER: user, MOVIE: list(rated), "rating": list(rated.values()), AT: [begin + timedelta(minutes=at) for at in range(len(rated))]})


def load(bench: RecommenderBench, batch_id: str, received: pd.DataFrame) -> None:
    """Taken in and indexed, as after `data.processed`."""
    rows = bench.parts.datasets[DATASET].validate(received, wall_now().date()).clean
    assert len(rows) == len(received)
    bench.parts.lake.merge_silver(DATASET, rows)
    window = Window(first_day=rows[TIME].min().date(), last_day=rows[TIME].max().date())
    assert bench.parts.index_batch.run(DataProcessed(batch_id=batch_id, dataset=DATASET, rows=len(rows), quarantined=0, window=window))


def both(bench: RecommenderBench, user: str) -> Taste:
    [found] = ReadTastes(bench.parts.store, bench.parts.recommender.profiles).read([user], bench.parts.clock.now())
    return found


class Numbered(Ranking):
    """Of movies."""

    def ranker(self, version: str) -> Ranker:
        return TinyRanker(version=version, prefix="")


@asynccontextmanager
async def serving(bench: RecommenderBench, dsn: str | None = None) -> AsyncIterator[Recommend]:
    slots, settings = ModelSlots(), bench.parts.settings
    found = champion()
    slots.swap(Champion(replace(found.loaded, answering=Numbered()), found.epoch))
    postgres = AsyncPostgres(dsn or settings.postgres.dsn.get_secret_value())
    link = RedisLink(settings.redis.url.get_secret_value(), 1.0)
    lists, pool = RedisLists(link), ThreadPoolExecutor(1)
    features = OnlineFeatureStore(postgres, link)
    try:
        yield Recommend(lists=lists, traces=lists, features=features, models=slots, held=slots.held, now=bench.parts.clock.now, pool=pool)
    finally:
        pool.shutdown()
        await link.close()
        await postgres.close()


def ids(found: Recommended) -> set[str]:
    return {item.item_id for item in found.made.items}


def test_the_workers_lists_begin_with_what_was_loaded_and_what_comes_back_counts_once(bench: RecommenderBench) -> None:
    load(bench, "b1", ratings("ann", RATED))
    bench.start()
    published(bench, [said("click", "ann", "5")])
    until(lambda: bench.list_of("ann"), 30, bench.log)
    items = bench.list_of("ann")["items"]
    assert not {"5", *RATED} & {item["item_id"] for item in items}
    assert {item["reason"] for item in items} >= {"because you watched Movie 10", "because you watched Movie 5"}
    taste = both(bench, "ann")
    assert [(touched.item, touched.kind) for touched in taste.history] == [("5", "click"), ("12", "like"), ("10", "high_rating")]
    assert taste.owned == set(RATED)
    assert taste.count == 1

    with bench.parts.store.transaction() as tx:
        rows = tx.interactions.of_users(["ann"])
    load(bench, "live", batch_of(rows))
    again = both(bench, "ann")
    assert (again.history, again.owned, again.count) == (taste.history, taste.owned, 1)


async def test_serving_makes_a_list_of_what_was_loaded(bench: RecommenderBench) -> None:
    load(bench, "b1", pd.concat([ratings("ann", RATED), ratings("cat", {"1": 2.0})]))
    async with serving(bench) as recommend:
        found = await recommend.run(Wanted("ann"))
        assert (found.origin, found.degraded, len(found.made.items)) == ("computed", (), 20)
        assert not set(RATED) & ids(found)
        assert found.made.items[0].reason in {"because you watched Movie 10", "because you watched Movie 12"}
        assert (await recommend.run(Wanted("ann"))).origin == "stored"
        assert {item.reason for item in (await recommend.run(Wanted("nobody"))).made.items} == {"popular now"}
        assert "1" not in ids(await recommend.run(Wanted("cat")))
    async with serving(bench, AWAY) as recommend:
        copied = await recommend.run(Wanted("ann", k=30))
        assert (copied.degraded, set(RATED) & ids(copied)) == ((), set()), "Redis' copy"
        assert (await recommend.run(Wanted("nobody", k=30))).degraded == ("profile_unavailable",)


async def test_who_is_forgotten_is_not_told_of_again(bench: RecommenderBench) -> None:
    person = "forget-me-not"
    told = pd.concat([ratings(person, RATED), ratings("gus", RATED)])
    load(bench, "b1", told)
    async with serving(bench) as recommend:
        await recommend.run(Wanted(person))
        until(lambda: bench.redis.exists(copy_key(MODEL, entity_of(person))), 10)
    assert {"online_features", copy_key(MODEL, entity_of(person)), f"rec:list:{person}"} <= set(bench.traces(person))
    before = bench.ask("SELECT generation FROM cache_generations WHERE kind = 'features'")

    gone = bench.parts.recommender.forget.run(person)

    assert (gone["online_features"], gone["lake"]) == (1, len(RATED))
    assert bench.traces(person) == []
    assert bench.ask("SELECT generation FROM cache_generations WHERE kind = 'features'") > before
    load(bench, "b1-again", told)
    assert bench.traces(person) == []
    assert both(bench, "gus").owned == set(RATED)
    load(bench, "b2", ratings(person, {"7": 5.0}, wall_now()))
    assert both(bench, person).owned == {"7"}, "a new beginning"
