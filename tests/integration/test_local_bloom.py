"""The worker's copy of the seen index beside real Redis: NO is certain whoever writes, and without Redis nothing is claimed."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import redis

from evergreen.adapters import local_bloom
from evergreen.adapters.local_bloom import LocalSeenIndex
from evergreen.adapters.redis_bloom import RedisSeenIndex
from evergreen.adapters.redis_link import RedisLink
from evergreen.core.errors import Unavailable
from evergreen.core.seen_window import LEASE_SECONDS
from evergreen.ports.seen_index import Seen
from evergreen.settings import Settings

pytestmark = [pytest.mark.anyio, pytest.mark.connected]
NOW = datetime(2025, 7, 25, 12, tzinfo=UTC)
TODAY = NOW.date()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Both:
    """The writer's side and a worker's."""

    client: redis.Redis
    link: RedisLink
    writer: RedisSeenIndex
    local: LocalSeenIndex

    async def renewed(self) -> None:
        """The copy is of the index as it is."""
        async with asyncio.timeout(10):
            while True:
                await self.local.seen("anything", NOW)
                await self.local.settle()
                version = self.client.hget("{bloom:test}:state", "version")
                if version == self.local.copy.version.encode():
                    return
                await asyncio.sleep(0.02)


@pytest.fixture
async def both(stack_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Both]:
    monkeypatch.setattr(local_bloom, "REFRESH_SECONDS", 0.02)
    url = stack_settings.redis.url.get_secret_value()
    client = redis.Redis.from_url(url)
    client.flushdb()
    link = RedisLink(url, 2.0)
    writer = RedisSeenIndex(client, "test")
    writer.end_rebuild(None)
    found = Both(client, link, writer, LocalSeenIndex(link, "test"))
    yield found
    await found.local.close()
    await link.close()
    client.close()


async def test_members_are_maybe_and_strangers_no_without_asking_redis(both: Both) -> None:
    both.writer.add_many({TODAY - timedelta(days=age): [f"day{age}"] for age in range(8)})
    await both.renewed()
    assert await both.local.seen("stranger", NOW) == "NO"
    assert [both.local.known(f"day{age}", NOW) for age in range(8)] == ["MAYBE"] * 7 + ["NO"]
    assert both.local.known("day0", NOW + timedelta(days=7)) == "NO"
    assert await both.local.maybe_seen(["day0", "day1", "x"], TODAY, 1) == [Seen.MAYBE, Seen.NO, Seen.NO]
    many = [f"day{number}" for number in range(40)]
    assert await both.local.maybe_seen(many, TODAY) == both.writer.maybe_seen(many, TODAY)


async def test_a_no_whose_proof_is_old_is_proved_anew_and_a_maybe_is_not(both: Both) -> None:
    both.writer.add_many({TODAY: ["here"]})
    await both.renewed()
    await asyncio.sleep(LEASE_SECONDS * 1.5)
    assert (both.local.known("here", NOW), both.local.known("stranger", NOW)) == ("MAYBE", None)
    assert await both.local.seen("stranger", NOW) == "NO"
    assert both.local.known("stranger", NOW) == "NO"


async def test_with_four_writers_nothing_that_was_added_is_ever_no(both: Both) -> None:
    """Each writer tells of what it has added the moment it may; the worker is asked at once."""
    await both.renewed()
    told: asyncio.Queue[list[str]] = asyncio.Queue()
    loop, stop = asyncio.get_running_loop(), threading.Event()

    def write(number: int) -> int:
        index = RedisSeenIndex(redis.Redis.from_url(_url(both)), "test")
        at = 0
        while not stop.is_set():
            items = [f"w{number}-{at}-{one}" for one in range(40)]
            index.add_many({TODAY - timedelta(days=at % 7): items})
            loop.call_soon_threadsafe(told.put_nowait, items)
            at += 1
        return at * 40

    wrong: list[str] = []
    asked = 0
    with ThreadPoolExecutor(4) as pool:
        writing = [pool.submit(write, number) for number in range(4)]
        until = time.monotonic() + 4
        while time.monotonic() < until:
            items = await told.get()
            for item in items:
                asked += 1
                if await both.local.seen(item, NOW) != "MAYBE":
                    wrong.append(item)
            await both.local.seen(f"stranger{asked}", NOW)
        stop.set()
        await asyncio.to_thread(lambda: [one.result() for one in writing])
    assert wrong == []
    assert asked > 500
    assert both.local.copy.version  # it was renewed meanwhile


def _url(both: Both) -> str:
    found = both.client.connection_pool.connection_kwargs
    return f"redis://:{found.get('password') or ''}@{found['host']}:{found['port']}/{found.get('db', 0)}"


async def test_what_is_swapped_in_is_heard_of_and_what_was_dropped_forgotten(both: Both) -> None:
    both.writer.add_many({TODAY: ["old"]})
    await both.renewed()
    both.writer.replace_day(TODAY, ["new"])
    assert await both.local.seen("new", NOW) == "MAYBE"
    await both.renewed()
    assert (await both.local.seen("new", NOW), await both.local.seen("old", NOW)) == ("MAYBE", "NO")


async def test_while_the_index_is_rebuilt_nothing_is_no(both: Both) -> None:
    both.writer.add_many({TODAY: ["a"]})
    await both.renewed()
    both.writer.begin_rebuild()
    assert await both.local.seen("stranger", NOW) == "MAYBE"
    both.writer.end_rebuild(TODAY)
    await both.renewed()
    assert await both.local.seen("stranger", NOW) == "NO"


@pytest.mark.parametrize("lost", ["everything", "a-bitmap", "the-version"])
async def test_what_redis_lost_is_not_answered_with_no(both: Both, lost: str) -> None:
    both.writer.add_many({TODAY: ["a"]})
    await both.renewed()
    if lost == "everything":
        both.client.flushdb()
    elif lost == "a-bitmap":
        both.client.delete(f"{{bloom:test}}:{TODAY}:0")
        both.client.hset("{bloom:test}:state", "version", "another")
    else:
        both.client.hdel("{bloom:test}:state", "version")
    await asyncio.sleep(LEASE_SECONDS * 1.5)
    expected = "NO" if lost == "the-version" else "MAYBE"  # an index from before versions is asked in Redis
    assert await both.local.seen("stranger", NOW) == expected
    assert await both.local.seen("a", NOW) == "MAYBE"
    await both.local.settle()
    if lost != "a-bitmap":  # the copy still has every bit of it, and may say so
        assert await both.local.seen("stranger", NOW) == expected


async def test_days_before_the_kept_ones_are_left_to_redis(both: Both) -> None:
    both.writer.add_many({TODAY: ["a"]})
    await both.renewed()
    early = NOW - timedelta(days=9)
    assert both.local.known("stranger", early) is None
    assert await both.local.seen("stranger", early) == "MAYBE"


async def test_a_day_that_grows_a_layer_between_two_looks_is_read_whole(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    from evergreen.core import seen_window

    monkeypatch.setattr(seen_window, "FIRST_CAPACITY", 30)
    seen_window.layer.cache_clear()
    try:
        for start in range(0, 120, 10):
            items = [f"item{number}" for number in range(start, start + 10)]
            both.writer.add_many({TODAY: items})
            assert [await both.local.seen(item, NOW) for item in items] == ["MAYBE"] * 10
        await both.renewed()
        assert len(both.local.copy.layers) == 3
        assert all(both.local.known(f"item{number}", NOW) == "MAYBE" for number in range(120))
    finally:
        monkeypatch.undo()
        seen_window.layer.cache_clear()


async def test_without_redis_it_is_unavailable(both: Both) -> None:
    away = LocalSeenIndex(RedisLink("redis://127.0.0.1:1/0", 0.05), "test")
    for _ in range(5):
        assert away.known("a", NOW) is None
        with pytest.raises(Unavailable):
            await away.seen("a", NOW)
