"""Stored features as a worker keeps them: out of this process, out of Redis, out of Postgres, and never older than they may be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from evergreen.adapters import online_features
from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.adapters.cache_generations import PostgresGenerations
from evergreen.adapters.feature_copies import ROUND, RedisFeatureCopies, copy_key
from evergreen.adapters.fleet_registry import PostgresFleet
from evergreen.adapters.online_features import OnlineFeatureStore
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.adapters.redis_link import FAILURES_TO_OPEN, RedisLink
from evergreen.core.errors import Unavailable
from evergreen.core.generations import FEATURES, Generations
from evergreen.ports.index import FeatureRow
from evergreen.ports.serving import StoredFeatures
from evergreen.settings import Settings
from tests.support.claims import emptied

pytestmark = [pytest.mark.anyio, pytest.mark.connected]
MODEL = "video_performance"
AS_OF = datetime(2025, 7, 25, tzinfo=UTC)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Parts:
    client: redis.Redis
    link: RedisLink
    store: PostgresStore
    postgres: AsyncPostgres
    generations: Generations
    features: OnlineFeatureStore

    def index(self, entity: str, **values: Any) -> None:
        """As the indexer does it."""
        with self.store.transaction() as tx:
            tx.online_features.upsert([FeatureRow(MODEL, entity, values, AS_OF)])
        RedisFeatureCopies(self.client).forget([(MODEL, entity)])
        with self.store.transaction() as tx:
            tx.generations.bump(FEATURES, "indexer")

    async def look(self) -> None:
        """As the worker's listener does."""
        self.generations.follow((await PostgresFleet(self.postgres, [MODEL]).look()).generations)

    async def views(self, entity: str) -> Any:
        found = await self.features.get(MODEL, entity)
        return None if found is None else found.features.get("view_count")


@pytest.fixture
async def parts(stack_settings: Settings) -> AsyncIterator[Parts]:
    dsn, url = stack_settings.postgres.dsn.get_secret_value(), stack_settings.redis.url.get_secret_value()
    client, link, postgres, generations = redis.Redis.from_url(url), RedisLink(url, 2.0), AsyncPostgres(dsn), Generations()
    client.flushdb()
    found = Parts(client, link, emptied(PostgresStore(dsn)), postgres, generations, OnlineFeatureStore(postgres, link, generations))
    await found.look()
    yield found
    await postgres.close()
    await link.close()
    found.store.close()
    client.close()


async def test_what_was_looked_up_is_kept_here_for_the_rest_of_its_time(parts: Parts) -> None:
    parts.index("v1", view_count=1)
    await parts.look()
    first = await parts.features.get(MODEL, "v1")
    parts.client.flushdb()
    with parts.store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute("DELETE FROM online_features")
    again = await parts.features.get(MODEL, "v1")
    assert first == again == StoredFeatures({"view_count": 1}, AS_OF)
    assert first is not None
    assert again is not None
    assert again.seconds_left <= first.seconds_left <= online_features.TTL_SECONDS


async def test_a_copy_of_redis_is_kept_no_longer_than_redis_would(parts: Parts) -> None:
    parts.index("v1", view_count=1)
    await parts.features.get(MODEL, "v1")
    await parts.link.ask(("PING",))
    parts.client.expire(copy_key(MODEL, "v1"), 5)
    other = OnlineFeatureStore(parts.postgres, parts.link)
    found = await other.get(MODEL, "v1")
    assert found is not None
    assert 0 < found.seconds_left <= 5


async def test_an_indexed_batch_is_heard_of(parts: Parts) -> None:
    parts.index("v1", view_count=1)
    await parts.look()
    assert await parts.views("v1") == 1
    parts.index("v1", view_count=2)
    await parts.look()
    assert await parts.views("v1") == 2


async def test_a_notification_comes_with_the_commit(parts: Parts) -> None:
    heard = asyncio.Event()
    await PostgresFleet(parts.postgres, [MODEL]).listen(heard.set)
    parts.index("v1", view_count=1)
    async with asyncio.timeout(5):
        await heard.wait()
    before = parts.generations.of(FEATURES)
    await parts.look()
    assert parts.generations.of(FEATURES) > before


async def test_that_nothing_is_known_is_believed_for_seconds_and_until_a_batch_was_indexed(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await parts.views("new") is None
    with parts.store.transaction() as tx:
        tx.online_features.upsert([FeatureRow(MODEL, "new", {"view_count": 1}, AS_OF)])
    assert await parts.views("new") is None
    parts.index("other", view_count=1)
    await parts.look()
    assert await parts.views("new") == 1
    monkeypatch.setattr(online_features, "UNKNOWN_SECONDS", 0.05)
    assert await parts.views("brief") is None
    with parts.store.transaction() as tx:
        tx.online_features.upsert([FeatureRow(MODEL, "brief", {"view_count": 1}, AS_OF)])
    async with asyncio.timeout(5):
        while await parts.views("brief") is None:  # noqa: ASYNC110 - time is what it waits for
            await asyncio.sleep(0.02)


async def test_an_old_row_on_its_way_while_it_is_changed_is_kept_nowhere(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    parts.index("v1", view_count=1)
    await parts.look()
    read, fetch = asyncio.Event(), parts.postgres.fetch
    go = asyncio.Event()

    async def slow(query: str, *values: object) -> Any:
        rows = await fetch(query, *values)
        read.set()
        await go.wait()
        return rows

    monkeypatch.setattr(parts.postgres, "fetch", slow)
    reading = asyncio.create_task(parts.features.get(MODEL, "v1"))
    async with asyncio.timeout(10):
        await read.wait()
    monkeypatch.undo()
    parts.index("v1", view_count=2)
    await parts.look()
    go.set()
    old = await reading
    await parts.link.ask(("PING",))
    assert old is not None
    assert old.features == {"view_count": 1}
    assert parts.client.exists(copy_key(MODEL, "v1")) == 0
    assert await parts.views("v1") == 2
    assert await OnlineFeatureStore(parts.postgres, parts.link).get(MODEL, "v1") == StoredFeatures({"view_count": 2}, AS_OF)


async def test_when_postgres_does_not_answer_a_few_wait_and_the_others_hear_it_at_once(parts: Parts) -> None:
    told: list[bool] = []
    away = OnlineFeatureStore(AsyncPostgres("postgresql://nobody@127.0.0.1:1/none"), parts.link, on_breaker=told.append)
    for _ in range(FAILURES_TO_OPEN):
        with pytest.raises(Unavailable):
            await away.get(MODEL, "v1")
    with pytest.raises(Unavailable, match="breaker open"):
        await away.get(MODEL, "v1")
    assert told == [True]


@pytest.mark.parametrize("kept", [b"x" * 300_000, b'{"features":{},"as_of":"2025-07-25T00:00:00Z"}' + b" " * 300_000], ids=["noise", "readable"])
async def test_a_huge_copy_is_passed_over(parts: Parts, kept: bytes) -> None:
    parts.index("v1", view_count=1)
    parts.client.set(copy_key(MODEL, "v1"), kept, ex=60)
    assert await parts.views("v1") == 1


async def test_a_round_that_is_no_number_costs_the_copy_only(parts: Parts) -> None:
    parts.index("v1", view_count=1)
    parts.client.delete(ROUND)
    parts.client.hset(ROUND, "a", "b")
    assert await parts.views("v1") == 1
    assert parts.client.exists(copy_key(MODEL, "v1")) == 0


async def test_an_operators_word_raises_its_own_generation(parts: Parts) -> None:
    raised = PostgresGenerations(parts.postgres)
    first = await raised.bump("predictions:m", "ada")
    assert await raised.bump("predictions:m", "ada") == first + 1
    features = parts.generations.of(FEATURES)
    await parts.look()
    assert (parts.generations.of("predictions:m"), parts.generations.of(FEATURES)) == (first + 1, features)
    with pytest.raises(Unavailable):
        await PostgresGenerations(AsyncPostgres("postgresql://nobody@127.0.0.1:1/none")).bump("predictions:m", "ada")
