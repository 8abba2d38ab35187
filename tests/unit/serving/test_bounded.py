"""Clients that take their time, on a real socket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from serving import bounded
from serving.worker import Worker, listening
from tests.support.serving_bench import Bench

pytestmark = pytest.mark.anyio
TICK_SECONDS = 0.05


@pytest.fixture
async def address(running: Bench, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[str, int]]:
    monkeypatch.setattr(bounded, "REQUEST_SECONDS", 0.5)
    monkeypatch.setattr(bounded, "LOOK_SECONDS", TICK_SECONDS)
    listener = listening("127.0.0.1", 0)
    worker = Worker(running.app, running.serving)
    worker.config.load()
    worker.lifespan = worker.config.lifespan_class(worker.config)
    await worker.startup([listener])
    ticking = asyncio.create_task(_tick(worker))
    yield listener.getsockname()[:2]
    ticking.cancel()
    for server in worker.servers:
        server.close()
    listener.close()


async def _tick(worker: Worker) -> None:
    while True:
        await worker.on_tick(0)
        await asyncio.sleep(TICK_SECONDS)


async def sent(address: tuple[str, int], first: bytes, drip: bytes = b"") -> bytes:
    """Everything that comes back until the other side closes; `drip` is sent again and again."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(first)

    async def dripping() -> None:
        while drip:
            writer.write(drip)
            await asyncio.sleep(0.05)

    task = asyncio.create_task(dripping())
    try:
        return await asyncio.wait_for(reader.read(), 5)
    except ConnectionResetError:
        return b"reset"
    finally:
        task.cancel()
        writer.close()


async def test_a_head_that_never_ends_is_408(address: tuple[str, int]) -> None:
    said = await sent(address, b"GET /livez HTTP/1.1\r\nhost: a\r\nx: ", b"x")
    assert b" 408 " in said or said == b"reset"  # what still came in takes the answer with it
    assert b" 408 " in await sent(address, b"GET /livez HTTP/1.1\r\nhost: a\r\n")


async def test_a_connection_that_says_nothing_is_closed(address: tuple[str, int]) -> None:
    assert b" 408 " in await sent(address, b"")


@pytest.mark.parametrize("path", [b"/predict/video", b"/feedback"])
async def test_a_body_that_dribbles_is_408(address: tuple[str, int], running: Bench, path: bytes) -> None:
    token = running.client().headers["authorization"].encode()
    head = b"POST " + path + b" HTTP/1.1\r\nhost: a\r\nauthorization: " + token + b"\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n{"
    said = await sent(address, head, b" ")
    assert b" 408 " in said or said == b"reset"


async def test_a_head_without_end_is_431_at_once(address: tuple[str, int]) -> None:
    assert b" 431 " in await sent(address, b"GET /livez HTTP/1.1\r\nx: " + b"a" * 70_000, b"a" * 10_000)


async def test_an_idle_connection_between_two_requests_is_left_alone(address: tuple[str, int]) -> None:
    reader, writer = await asyncio.open_connection(*address)
    for _ in range(2):
        writer.write(b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n")
        assert b" 200 " in await asyncio.wait_for(reader.readuntil(b"}"), 5)
        await asyncio.sleep(0.8)  # longer than a request may take: what is shown is that nothing happens
    writer.close()


async def test_a_long_upload_that_keeps_coming_is_taken(address: tuple[str, int], running: Bench) -> None:
    token = running.client().headers["authorization"].encode()
    reader, writer = await asyncio.open_connection(*address)
    rows = 40
    head = b"POST /jobs/predictions HTTP/1.1\r\nhost: a\r\nauthorization: " + token + b"\r\ncontent-type: text/csv\r\n"
    writer.write(head + b"content-length: %d\r\n\r\nhour\n" % (rows * 2_000 + 5))
    for _ in range(rows):  # 1.6 s at 50 KB/s: three times as long as a head may take
        writer.write(b"1\n" * 1_000)
        await asyncio.sleep(0.04)
    said = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    assert b" 202 " in said
    writer.close()


async def test_a_pause_of_the_worker_itself_is_not_held_against_an_upload(address: tuple[str, int], running: Bench) -> None:
    token = running.client().headers["authorization"].encode()
    reader, writer = await asyncio.open_connection(*address)
    head = b"POST /jobs/predictions HTTP/1.1\r\nhost: a\r\nauthorization: " + token + b"\r\ncontent-type: text/csv\r\n"
    writer.write(head + b"content-length: 9\r\n\r\nhour\n")
    await asyncio.sleep(2 * TICK_SECONDS)
    time.sleep(1.0)  # noqa: ASYNC251 - the worker stands still, twice as long as a request may take
    await asyncio.sleep(2 * TICK_SECONDS)
    writer.write(b"1\n2\n")
    assert b" 202 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    writer.close()
