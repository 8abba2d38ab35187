"""Pushed lists from real workers on a real socket, with real Redis: a cut, a kill, a thousand who wait, a word that was acknowledged."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import httpx
import psutil
import pytest
from confluent_kafka import Consumer
from redis import Redis
from websockets.asyncio.client import ClientConnection, connect

from evergreen.adapters.redis_profiles import PUSH_CHANNEL, key
from evergreen.core.access import Role
from evergreen.settings import Settings
from tests.support.listed import list_body, number_of
from tests.support.tokens import bearer
from tests.support.worker_processes import Workers, until, workers

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.anyio, pytest.mark.timeout(180)]
IDLE = 1_000
LIMITS = {"EVERGREEN_AUTH__LIMITS__USER": "100000", "EVERGREEN_AUTH__LIMITS__SERVICE": "100000"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def redis(stack_settings: Settings) -> Iterator[Redis]:
    with Redis.from_url(stack_settings.redis.url.get_secret_value()) as client:
        yield client


@pytest.fixture(scope="module")
def served(stack_settings: Settings) -> Iterator[Workers]:
    with workers(stack_settings, ("serving-00",), LIMITS) as started:
        until(lambda: started.answers() == {"serving-00"}, 60)
        yield started


def push(redis: Redis, user: str, number: int, kept: int = 50) -> str:
    entry = redis.xadd(key("push", user), {"body": list_body(user, number)}, maxlen=kept, approximate=False)
    redis.publish(PUSH_CHANNEL, user)
    return entry.decode() if isinstance(entry, bytes) else entry


def token(served: Workers, user: str) -> dict[str, str]:
    return bearer(served.settings, Role.USER, subject=user)


async def events(answer: httpx.Response) -> AsyncIterator[tuple[str, int]]:
    """(id, number)"""
    place = ""
    async for line in answer.aiter_lines():
        if line.startswith("id: "):
            place = line[4:]
        elif line.startswith("data: "):
            yield place, number_of(json.loads(line[6:]))


async def number_from(socket: ClientConnection) -> int:
    return number_of(json.loads(await asyncio.wait_for(socket.recv(), 10))["list"])


async def test_cut_again_and_again_a_reader_misses_nothing_and_hears_nothing_twice(served: Workers, redis: Redis) -> None:
    user, place = f"u-{uuid4()}", "0-0"
    heard: list[int] = []
    pushing = asyncio.create_task(_push_slowly(redis, user, 200))
    push(redis, user, 1_000)
    async with httpx.AsyncClient(base_url=served.url, headers=token(served, user), timeout=10) as client:
        while len(heard) < 201:
            async with client.stream("GET", f"/recommendations/{user}/stream", headers={"Last-Event-ID": place}) as answer:
                assert answer.status_code == 200
                async for came, number in events(answer):
                    place = came
                    heard.append(number)
                    if len(heard) % 17 == 0 or len(heard) == 201:  # the connection breaks
                        break
    await pushing
    in_order = [number for number in heard if number < 1_000]
    assert in_order == sorted(in_order)
    assert len(heard) == 201
    assert set(heard) == {1_000, *range(200)}


async def _push_slowly(redis: Redis, user: str, count: int) -> None:
    for number in range(count):
        await asyncio.sleep(0.005)
        push(redis, user, number)


async def test_after_its_subscription_was_cut_a_worker_hears_again(served: Workers, redis: Redis) -> None:
    user = f"u-{uuid4()}"
    async with connect(f"{served.url.replace('http', 'ws')}/recommendations/{user}/ws", additional_headers=token(served, user)) as socket:
        push(redis, user, 1)
        assert await number_from(socket) == 1
        until(lambda: redis.pubsub_numsub(PUSH_CHANNEL)[0][1] > 0)
        redis.xadd(key("push", user), {"body": list_body(user, 2)})  # and nobody says so
        redis.client_kill_filter(_type="pubsub")
        assert await number_from(socket) == 2
        push(redis, user, 3)
        assert await number_from(socket) == 3


async def test_a_thousand_idle_connections_take_bounded_memory_and_each_is_reached(served: Workers, redis: Redis) -> None:
    process = psutil.Process(served.processes["serving-00"].pid)
    async with httpx.AsyncClient(base_url=served.url, headers=token(served, "warm"), timeout=10) as client:
        assert (await client.get("/recommendations/warm/stream?seconds=0")).status_code == 200
    before = process.memory_info().rss
    users = [f"idle-{number}" for number in range(IDLE)]
    headers = bearer(served.settings, Role.SERVICE)
    half = IDLE // 2
    sockets = [await connect(f"{served.url.replace('http', 'ws')}/recommendations/{user}/ws", additional_headers=headers) for user in users[:half]]
    streams = []
    for user in users[half:]:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.listener.getsockname()[1])
        writer.write(f"GET /recommendations/{user}/stream HTTP/1.1\r\nhost: x\r\nauthorization: {headers['authorization']}\r\n\r\n".encode())
        assert b"200 OK" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        streams.append((reader, writer))
    grown = process.memory_info().rss - before
    print(f"\n{IDLE} idle connections: {grown / IDLE / 1024:.1f} KiB each, {grown / 2**20:.1f} MiB")  # noqa: T201 - the figure
    assert grown < 60 * 2**20
    begun = time.monotonic()
    for number, user in enumerate(users):
        push(redis, user, number)
    for number, socket in enumerate(sockets):
        assert await number_from(socket) == number
    for number, (reader, _) in enumerate(streams, half):
        assert b'"as_of":"interactions:0:%d"' % number in await asyncio.wait_for(reader.readuntil(b"degraded_reasons"), 10)
    assert time.monotonic() - begun < 10
    for socket in sockets:
        socket.transport.abort()
    for _, writer in streams:
        writer.close()
    async with httpx.AsyncClient(base_url=served.url, headers=headers) as client:
        async with asyncio.timeout(10):
            while 'recommendation_streams{kind="sse"} 0.0' not in (await client.get("/metrics")).text:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)


async def test_a_worker_that_is_told_to_end_hands_its_readers_to_another(served: Workers, redis: Redis) -> None:
    user = f"u-{uuid4()}"
    push(redis, user, 1)
    async with httpx.AsyncClient(base_url=served.url, headers=token(served, user), timeout=10) as client:
        async with client.stream("GET", f"/recommendations/{user}/stream") as answer:
            heard = events(answer)
            place, number = await anext(heard)
            assert number == 1
            served.start("serving-01")
            served.signal("serving-00", signal.SIGTERM)
            assert [one async for one in heard] == []
        served.processes["serving-00"].wait(10)
        push(redis, user, 2)
        async with asyncio.timeout(60), client.stream("GET", f"/recommendations/{user}/stream", headers={"Last-Event-ID": place}) as again:
            assert (await anext(events(again)))[1] == 2


def test_an_acknowledged_interaction_lies_where_the_answer_says(served: Workers, stack_settings: Settings) -> None:
    user = f"u-{uuid4()}"
    with served.client() as client:
        said = [client.post("/interactions", json={"user_id": user, "interaction_type": "like", "item_ids": ["318"]}) for _ in range(2)]
    assert [answer.status_code for answer in said] == [202, 202]
    consumer = Consumer({"bootstrap.servers": stack_settings.kafka.bootstrap_servers, "group.id": user, "auto.offset.reset": "earliest"})
    consumer.subscribe(["business.user.interaction"])
    found: list[str] = []

    def both() -> bool:
        message = consumer.poll(0.2)
        if message is not None and message.error() is None and message.key() == user.encode():
            found.append(f"interactions:{message.partition()}:{message.offset()}")
        return len(found) == 2

    until(both)
    consumer.close()
    assert [answer.json()["as_of"] for answer in said] == found
