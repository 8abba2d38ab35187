"""The prediction cache and the idempotency keys: the twin and the real ones, held to the same behaviour."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from evergreen.adapters.memory.serving import MemoryCache, MemoryKeys
from evergreen.adapters.redis_cache import SCHEMA, LayeredCache, RedisIdempotencyKeys, decode_entry, encode_entry
from evergreen.adapters.redis_link import FAILURES_TO_OPEN, RedisLink
from evergreen.core.errors import Unavailable
from evergreen.ports.cache import CachedAnswer, PredictionCache
from evergreen.ports.serving import IdempotencyKeys
from evergreen.settings import Settings

pytestmark = pytest.mark.anyio
NAME = "video_performance@3"
ANSWER = CachedAnswer(b'{"prediction":5.25,"interval":{"lower":1}}', b'{"title":"\xec\x97\xac"}', NAME, datetime(2025, 7, 25, tzinfo=UTC))
UNTIL = 4_000_000_000.0
REAL = pytest.param("real", marks=pytest.mark.connected)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["memory", REAL])
async def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
async def link(request: pytest.FixtureRequest) -> AsyncIterator[RedisLink]:
    """Roomier than a worker's: on a busy test machine a round trip may take longer than its 50 ms."""
    settings: Settings = request.getfixturevalue("stack_settings")
    link = RedisLink(settings.redis.url.get_secret_value(), 2.0)
    yield link
    await link.close()


@pytest.fixture
async def redis(link: RedisLink) -> Redis:
    assert link.client is not None
    await link.client.flushdb()
    return link.client


@pytest.fixture
def cache(kind: str, request: pytest.FixtureRequest) -> PredictionCache:
    if kind == "memory":
        return MemoryCache()
    request.getfixturevalue("redis")
    return LayeredCache(request.getfixturevalue("link"), 300)


@pytest.fixture
def keys(kind: str, request: pytest.FixtureRequest) -> IdempotencyKeys:
    if kind == "memory":
        return MemoryKeys()
    request.getfixturevalue("redis")
    return RedisIdempotencyKeys(request.getfixturevalue("link"))


async def test_what_was_put_comes_out(cache: PredictionCache) -> None:
    assert await cache.get("k", NAME) is None
    cache.put("k", ANSWER)
    found = await cache.get("k", NAME)
    assert found is not None
    assert found[0] == ANSWER
    assert await cache.get("other", NAME) is None


async def test_the_first_word_under_a_key_stands(keys: IdempotencyKeys) -> None:
    assert await keys.claim("k", "first") == "first"
    assert await keys.claim("k", "second") == "first"
    assert await keys.claim("other", "second") == "second"


@pytest.mark.connected
async def test_another_worker_finds_it_in_redis(link: RedisLink, redis: Redis) -> None:
    one, other = LayeredCache(link, 300), LayeredCache(link, 300)
    one.put("k", ANSWER)
    await one.settle()
    found = await other.get("k", NAME)
    again = await other.get("k", NAME)
    assert found == (ANSWER, "l2")
    assert again == (ANSWER, "l1")
    assert 300 * 0.84 * 1000 <= await redis.pttl("k") <= 300_000


@pytest.mark.connected
async def test_an_entry_ends_after_its_time_in_both_layers(link: RedisLink, redis: Redis) -> None:
    cache = LayeredCache(link, 0.2)
    cache.put("k", ANSWER)
    await cache.settle()
    assert await cache.get("k", NAME) is not None
    async with asyncio.timeout(5):
        while await cache.get("k", NAME) is not None:  # noqa: ASYNC110 - time is what it waits for
            await asyncio.sleep(0.02)


@pytest.mark.connected
@pytest.mark.parametrize(
    "kept",
    [
        pytest.param(b"\x80\x04\x95cposix\nsystem\n", id="a-pickle"),
        pytest.param(b"{", id="half"),
        pytest.param(b"[]", id="a-list"),
        pytest.param(json.dumps({"schema": SCHEMA}).encode(), id="json"),
        pytest.param(msgspec.msgpack.encode([SCHEMA, NAME]), id="without-an-answer"),
        pytest.param(encode_entry(ANSWER, UNTIL).replace(b'"prediction":', b'"predictiom":'), id="a-flipped-bit"),
        pytest.param(encode_entry(ANSWER, UNTIL)[:-1], id="cut-off"),
        pytest.param(encode_entry(ANSWER, UNTIL).replace(SCHEMA.encode(), b"evergreen.prediction/0"), id="an-older-schema"),
        pytest.param(encode_entry(CachedAnswer(ANSWER.body, ANSWER.features, "video_performance@2"), UNTIL), id="another-version"),
        pytest.param(encode_entry(CachedAnswer(b"5", b"{}", NAME), UNTIL), id="a-number-for-an-answer"),
        pytest.param(encode_entry(CachedAnswer(b'{"a":1}', b"{}", NAME), UNTIL), id="no-prediction"),
        pytest.param(encode_entry(CachedAnswer(b'{"prediction":"high"}', b"{}", NAME), UNTIL), id="a-word-for-a-number"),
        pytest.param(encode_entry(CachedAnswer(b'{"prediction":true}', b"{}", NAME), UNTIL), id="a-flag-for-a-number"),
        pytest.param(b'{"schema":"' + b"[" * 100_000, id="too-deep"),
    ],
)
async def test_what_cannot_be_read_is_a_miss_and_is_deleted(link: RedisLink, redis: Redis, kept: bytes) -> None:
    await redis.set("k", kept, ex=60)
    assert await LayeredCache(link, 300).get("k", NAME) is None
    assert await redis.exists("k") == 0


@pytest.mark.connected
async def test_a_key_that_holds_no_string_is_a_miss_and_is_deleted(link: RedisLink, redis: Redis) -> None:
    await redis.hset("k", "a", "b")
    assert await LayeredCache(link, 300).get("k", NAME) is None
    assert await redis.exists("k") == 0


@pytest.mark.connected
async def test_who_cannot_wait_asks_and_is_told(link: RedisLink) -> None:
    observed: list[tuple[str, bool]] = []
    cache = LayeredCache(link, 300, observe=lambda layer, hit: observed.append((layer, hit)))
    absent = cache.ask("k", NAME)
    assert absent is not None
    await absent.answered
    assert absent.answer() == "absent"
    other = LayeredCache(link, 300)
    other.put("k", ANSWER)
    await other.settle()
    found = cache.ask("k", NAME)
    assert found is not None
    await found.answered
    answer = found.answer()
    assert isinstance(answer, CachedAnswer)
    assert (answer, 200 < answer.seconds_left <= 300) == (ANSWER, True)
    assert cache.ask("k", NAME) is None  # it is at hand now
    assert observed == [("l1", False), ("l2", False), ("l1", False), ("l2", True)]


async def test_who_asks_nobody_is_told_so_at_once() -> None:
    assert LayeredCache(RedisLink("", 0.05), 300).ask("k", NAME) is None


async def test_an_answer_that_does_not_come_is_no_answer() -> None:
    cache = LayeredCache(RedisLink("redis://127.0.0.1:1/0", 0.05), 300)
    asked = cache.ask("k", NAME)
    assert asked is not None
    await asyncio.wait([asked.answered])
    assert asked.answer() == "away"


async def test_a_time_without_a_zone_is_no_time_of_ours() -> None:
    assert decode_entry(encode_entry(ANSWER, UNTIL), NAME) == ANSWER
    nowhere = replace(ANSWER, features_as_of=datetime(2025, 7, 25))  # noqa: DTZ001 - what is shown is that such a time is refused
    assert decode_entry(encode_entry(nowhere, UNTIL), NAME) is None


async def test_the_first_layer_is_bounded_and_keeps_what_is_used() -> None:
    cache = LayeredCache(RedisLink("", 0.05), 300, entries=3)
    for key in ("a", "b", "c"):
        cache.put(key, ANSWER)
    await cache.get("a", NAME)
    cache.put("d", ANSWER)
    await cache.settle()
    assert {key for key in "abcd" if key in cache._l1} == {"a", "c", "d"}


async def test_without_redis_the_first_layer_answers_and_a_miss_says_so() -> None:
    looked: list[tuple[str, bool]] = []
    cache = LayeredCache(RedisLink("redis://127.0.0.1:1/0", 0.05), 300, observe=lambda layer, hit: looked.append((layer, hit)))
    cache.put("k", ANSWER)
    await cache.settle()
    assert await cache.get("k", NAME) == (ANSWER, "l1")
    with pytest.raises(Unavailable):
        await cache.get("other", NAME)
    assert looked == [("l1", True), ("l1", False), ("l2", False)]  # or the hit ratio could not show that Redis is away


async def test_after_some_failures_calls_fail_at_once_and_one_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evergreen.adapters.redis_link.REST_SECONDS", 0.05)
    told: list[bool] = []
    link = RedisLink("redis://127.0.0.1:1/0", 0.5, on_change=told.append)
    tried = 0

    async def work(_: Redis) -> str:
        nonlocal tried
        tried += 1
        if tried <= FAILURES_TO_OPEN:
            raise ConnectionError
        return "there"

    for _ in range(FAILURES_TO_OPEN + 3):
        with pytest.raises(Unavailable):
            await link.call(work)
    assert (tried, link.breaker.open, told) == (FAILURES_TO_OPEN, True, [True])
    await asyncio.sleep(0.06)
    assert await link.call(work) == "there"
    assert (link.breaker.open, told) == (False, [True, False])


async def test_a_call_ends_within_its_time() -> None:
    link = RedisLink("redis://127.0.0.1:1/0", 0.05)

    async def hang(_: Redis) -> None:
        await asyncio.sleep(60)

    async with asyncio.timeout(2):
        with pytest.raises(Unavailable):
            await link.call(hang)
