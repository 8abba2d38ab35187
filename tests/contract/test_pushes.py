"""Pushed lists read again: one suite for the twin and for Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from uuid import uuid4

import pytest

from evergreen.adapters.memory.pushes import MemoryPushes
from evergreen.adapters.redis_link import RedisLink
from evergreen.adapters.redis_lists import RedisPushes
from evergreen.adapters.redis_profiles import PUSH_CHANNEL, key
from evergreen.adapters.redis_wakeups import RedisWakeUps
from evergreen.core.errors import Unavailable
from evergreen.ports.pushes import Pushes, WakeUps

pytestmark = pytest.mark.anyio
KEPT = 50


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Parts:
    pushes: Pushes
    wake_ups: WakeUps
    push: Callable[[str, bytes], str]
    user: str


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.connected)])
async def parts(request: pytest.FixtureRequest) -> AsyncIterator[Parts]:
    user = f"u-{uuid4()}"
    if request.param == "memory":
        twin = MemoryPushes(KEPT)
        yield Parts(twin, twin, twin.push, user)
        return
    from redis import Redis

    url = request.getfixturevalue("stack_settings").redis.url.get_secret_value()
    link = RedisLink(url, 1.0)
    with Redis.from_url(url) as client:

        def push(to: str, body: bytes) -> str:
            entry: bytes = client.xadd(key("push", to), {"body": body}, maxlen=KEPT, approximate=False)
            client.publish(PUSH_CHANNEL, to)
            return entry.decode()

        yield Parts(RedisPushes(link), RedisWakeUps(url), push, user)
    await link.close()


async def test_a_new_reader_begins_with_the_newest_and_goes_on_behind_it(parts: Parts) -> None:
    assert await parts.pushes.begin(parts.user, None) == ((), "0-0")
    parts.push(parts.user, b"1")
    second = parts.push(parts.user, b"2")
    found, place = await parts.pushes.begin(parts.user, None)
    assert ([one.body for one in found], place) == ([b"2"], second)
    third = parts.push(parts.user, b"3")
    assert [(one.id, one.body) for one in await parts.pushes.after(parts.user, place, 10)] == [(third, b"3")]


async def test_who_comes_back_gets_what_he_lacks_in_order_and_nothing_twice(parts: Parts) -> None:
    ids = [parts.push(parts.user, b"%d" % number) for number in range(5)]
    found, place = await parts.pushes.begin(parts.user, ids[1])
    assert ([one.body for one in found], place) == ([b"2", b"3", b"4"], ids[4])
    assert await parts.pushes.begin(parts.user, ids[4]) == ([], ids[4])
    assert [one.body for one in await parts.pushes.after(parts.user, ids[0], 2)] == [b"1", b"2"]


async def test_what_is_older_than_what_is_kept_is_gone(parts: Parts) -> None:
    first = parts.push(parts.user, b"first")
    for number in range(KEPT + 5):
        parts.push(parts.user, b"%d" % number)
    found, _ = await parts.pushes.begin(parts.user, first)
    assert [one.body for one in found] == [b"%d" % number for number in range(5, KEPT + 5)]


async def test_a_place_the_stream_never_reached_is_as_none(parts: Parts) -> None:
    newest = parts.push(parts.user, b"after the loss")
    found, place = await parts.pushes.begin(parts.user, "9999999999999999-0")
    assert ([one.body for one in found], place) == ([b"after the loss"], newest)
    assert await parts.pushes.begin("nobody-" + parts.user, "9999999999999999-0") == ((), "0-0")


async def test_a_follower_is_woken_at_the_beginning_and_for_each_new_list(parts: Parts) -> None:
    heard: asyncio.Queue[str | None] = asyncio.Queue()
    following = asyncio.create_task(parts.wake_ups.follow(heard.put_nowait))
    assert await asyncio.wait_for(heard.get(), 5) is None
    parts.push(parts.user, b"1")
    parts.push("other-" + parts.user, b"1")
    assert [await asyncio.wait_for(heard.get(), 5) for _ in range(2)] == [parts.user, "other-" + parts.user]
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


@pytest.mark.connected
async def test_a_subscription_that_was_cut_is_made_again_and_wakes_everybody(stack_settings) -> None:
    from redis import Redis

    url = stack_settings.redis.url.get_secret_value()
    heard: asyncio.Queue[str | None] = asyncio.Queue()
    following = asyncio.create_task(RedisWakeUps(url).follow(heard.put_nowait))
    assert await asyncio.wait_for(heard.get(), 5) is None
    with Redis.from_url(url) as client:
        for _ in range(3):
            client.client_kill_filter(_type="pubsub")
            assert await asyncio.wait_for(heard.get(), 5) is None
        client.publish(PUSH_CHANNEL, "u1")
        assert await asyncio.wait_for(heard.get(), 5) == "u1"
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


@pytest.mark.connected
async def test_what_is_no_stream_is_nothing_to_answer_from(stack_settings) -> None:
    from redis import Redis

    url, user = stack_settings.redis.url.get_secret_value(), f"u-{uuid4()}"
    link = RedisLink(url, 1.0)
    with Redis.from_url(url) as client:
        client.set(key("push", user), "no stream")
        with pytest.raises(Unavailable):
            await RedisPushes(link).begin(user, None)
        client.delete(key("push", user))
        client.xadd(key("push", user), {"other": "1"})
        assert await RedisPushes(link).begin(user, None) == ((), "0-0")
    await link.close()
