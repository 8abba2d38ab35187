"""Users of the recommender as they are found in real Redis and Postgres."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from functools import cache

import pytest
from redis import Redis

from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.adapters.redis_audience import RedisAudience
from evergreen.adapters.redis_link import RedisLink
from evergreen.adapters.redis_profiles import ACTIVE_USERS, RedisProfiles, key
from evergreen.core.boosts import SIMILAR_ITEMS, SIMILAR_USERS
from evergreen.core.clock import wall_now
from evergreen.core.earlier import entity_of
from evergreen.core.errors import Unavailable
from evergreen.core.recommending import MODEL
from evergreen.ports.interactions import InteractionRow
from evergreen.ports.profiles import Place
from evergreen.services.rebuild_profiles import RebuildProfiles
from evergreen.settings import Settings
from tests.support.claims import emptied

pytestmark = [pytest.mark.connected, pytest.mark.anyio]


@cache
def now() -> datetime:
    """When the first of these tests began: in a run of them all that is an hour after they were read, and what users did lately is forgotten by then."""
    return wall_now()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def redis(stack_settings: Settings) -> Redis:
    client = Redis.from_url(stack_settings.redis.url.get_secret_value())
    client.flushdb()
    return client


@pytest.fixture
async def audience(stack_settings: Settings, redis: Redis) -> AsyncIterator[RedisAudience]:
    link = RedisLink(stack_settings.redis.url.get_secret_value(), 1.0)
    postgres = AsyncPostgres(stack_settings.postgres.dsn.get_secret_value())
    yield RedisAudience(link, postgres)
    await link.close()
    await postgres.close()


@pytest.fixture
def store(stack_settings: Settings) -> PostgresStore:
    store = PostgresStore(stack_settings.postgres.dsn.get_secret_value())
    emptied(store)
    return store


def did(number: int, user: str, kind: str, item: str) -> InteractionRow:
    place = Place("interactions", "t", 0, number)
    return InteractionRow("/test", f"e{number}", now() - timedelta(minutes=60 - number), user, kind, (item,), None, None, {}, {item: ["Comedy"]}, place)


def recorded(store: PostgresStore, redis: Redis, rows: list[InteractionRow]) -> None:
    with store.transaction() as tx:
        tx.interactions.record(rows)
    RebuildProfiles(store, RedisProfiles(redis)).users(sorted({row.user_id for row in rows}))


async def test_a_users_traces_are_what_was_recorded(audience: RedisAudience, store: PostgresStore, redis: Redis) -> None:
    recorded(store, redis, [did(1, "ann", "view", "m1"), did(2, "ann", "view", "m2"), did(3, "ann", "like", "m2"), did(4, "bob", "like", "m9")])
    RedisProfiles(redis).boost([("ann", SIMILAR_ITEMS, "m5"), ("ann", SIMILAR_USERS, "m6")])
    redis.zadd(key("boost", "ann"), {"items:m7": 1, "nobody:m8": 9e15})
    found = await audience.traces("ann")
    assert found.counts == {"view": 2, "like": 1}
    assert [(one.kind, list(one.items)) for one in found.activity] == [("like", ["m2"]), ("view", ["m2"]), ("view", ["m1"])]
    assert [(one.item, one.cause) for one in found.boosts] == [("m6", "users"), ("m5", "items")]
    assert all(wall_now() < one.until for one in found.boosts)
    nobody = await audience.traces("nobody")
    assert (nobody.counts, nobody.activity, nobody.boosts) == ({}, [], [])


async def test_users_are_found_newest_first_and_then_those_batches_know(audience: RedisAudience, store: PostgresStore, redis: Redis) -> None:
    recorded(store, redis, [did(1, "Anna", "like", "m1"), did(2, "bob", "like", "m1"), did(3, "Hanna", "like", "m1")])
    with store.transaction() as tx, tx.connection.cursor() as cursor:
        for user in ("anne", "Anna", "zoe", "100%"):
            cursor.execute("INSERT INTO online_features VALUES (%s, %s, '{}', now())", (MODEL, entity_of(user)))
    assert [one.user for one in await audience.known("", 10)] == ["Hanna", "bob", "Anna", "100%", "anne", "zoe"]
    assert [one.user for one in await audience.known("an", 10)] == ["Hanna", "Anna", "anne"]
    assert [(one.user, one.interactions) for one in await audience.known("ANNA", 1)] == [("Hanna", 1)]
    assert [(one.user, one.interactions, one.active_at) for one in await audience.known("100%", 5)] == [("100%", 0, None)]


async def test_a_needle_far_down_among_twenty_thousand_is_found(audience: RedisAudience, store: PostgresStore, redis: Redis) -> None:
    redis.zadd(ACTIVE_USERS, {f"u{number}": 1_000 + number for number in range(20_000)} | {"needle": 1})
    assert [one.user for one in await audience.known("needle", 3)] == ["needle"]
    assert [one.user for one in await audience.known("u", 2)] == ["u19999", "u19998"]


async def test_without_redis_or_with_something_else_there_it_says_so(stack_settings: Settings, audience: RedisAudience, redis: Redis) -> None:
    redis.set(key("boost", "odd"), "text")
    with pytest.raises(Unavailable, match="something else"):
        await audience.traces("odd")
    away = RedisAudience(RedisLink("", 1.0), AsyncPostgres(stack_settings.postgres.dsn.get_secret_value()))
    with pytest.raises(Unavailable):
        await away.known("", 3)
