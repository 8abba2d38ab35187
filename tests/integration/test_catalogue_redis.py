"""What the catalogue's routes keep in real Redis and read from it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta

import pytest
import redis

from evergreen.adapters.redis_bloom import RedisSeenIndex
from evergreen.adapters.redis_bloom_stats import RedisSeenStats
from evergreen.adapters.redis_link import RedisLink
from evergreen.adapters.search_cache import TTL_SECONDS, LayeredSearchCache
from evergreen.core.errors import Unavailable
from evergreen.settings import Settings

pytestmark = [pytest.mark.anyio, pytest.mark.connected]
TODAY = date(2025, 7, 25)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def client(stack_settings: Settings) -> redis.Redis:
    opened: redis.Redis = redis.Redis.from_url(stack_settings.redis.url.get_secret_value())
    opened.flushdb()
    return opened


@pytest.fixture
async def link(stack_settings: Settings) -> AsyncIterator[RedisLink]:
    opened = RedisLink(stack_settings.redis.url.get_secret_value(), 2.0)
    yield opened
    await opened.close()


async def test_the_seen_index_measures_itself_as_its_writer_does(client: redis.Redis, link: RedisLink) -> None:
    writer = RedisSeenIndex(client)
    assert not (await RedisSeenStats(link).stats(TODAY)).ready
    writer.begin_rebuild()
    for back in (0, 3, 7):
        writer.replace_day(TODAY - timedelta(days=back), [f"{back}-{number}" for number in range(500)])
    writer.end_rebuild(TODAY)
    found = await RedisSeenStats(link).stats(TODAY)
    assert found == writer.stats(TODAY)
    assert (len(found.filters), found.ready, found.total_capacity) == (2, True, 200_000)
    assert 950 < found.estimated_items < 1050


async def test_without_redis_or_with_strange_contents_there_are_no_stats(client: redis.Redis, link: RedisLink) -> None:
    with pytest.raises(Unavailable):
        await RedisSeenStats(RedisLink("redis://127.0.0.1:1/0", 0.05)).stats(TODAY)
    for day, layers in (("yesterday", "1"), (TODAY.isoformat(), "many")):
        client.delete("{bloom:videos}:days")
        client.hset("{bloom:videos}:days", day, layers)
        with pytest.raises(Unavailable):
            await RedisSeenStats(link).stats(TODAY)
    client.set("{bloom:videos}:days", "no hash")
    with pytest.raises(Unavailable):
        await RedisSeenStats(link).stats(TODAY)


async def test_a_page_is_shared_with_other_workers_for_three_minutes(client: redis.Redis, link: RedisLink) -> None:
    here, there = LayeredSearchCache(link), LayeredSearchCache(link)
    assert await here.get("search:k") is None
    here.put("search:k", b'{"results":[]}')
    assert await there.get("search:k") == b'{"results":[]}'
    assert TTL_SECONDS * 0.84 <= client.pttl("search:k") / 1000 <= TTL_SECONDS


@pytest.mark.parametrize("found", [b"", b"{}", b"\x80\x04K\x01.", b"evergreen.search/1\n", b"evergreen.search/2\n{}", b"evergreen.search/1\n[]", b"x" * 2**20])
async def test_what_no_worker_wrote_is_a_miss_and_goes(client: redis.Redis, link: RedisLink, found: bytes) -> None:
    client.set("search:k", found, ex=100)
    assert await LayeredSearchCache(link).get("search:k") is None
    await link.ask(("PING",))  # behind what is told, on the same connection
    assert not client.get("search:k")


async def test_without_redis_a_worker_has_its_own_pages() -> None:
    cache = LayeredSearchCache(RedisLink("redis://127.0.0.1:1/0", 0.05))
    assert await cache.get("search:k") is None
    cache.put("search:k", b"{}")
    assert await cache.get("search:k") == b"{}"
