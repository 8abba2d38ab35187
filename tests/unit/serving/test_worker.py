"""A real server on a real socket that it shares with others, told to end at the worst moments."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from serving.worker import Worker, listening
from tests.support.serving_bench import SPEC, Bench, Plain

pytestmark = pytest.mark.anyio
ASK = b"GET /livez HTTP/1.1\r\nHost: serving\r\n\r\n"


class Port:
    """The listening socket as its supervisor holds it: open whatever a worker does."""

    def __init__(self) -> None:
        self.shared = listening("127.0.0.1", 0)
        self.handed: list[socket.socket] = []

    def begin(self, bench: Bench) -> tuple[Worker, asyncio.Task[None]]:
        worker = Worker(bench.app, bench.serving)
        self.handed.append(self.shared.dup())
        return worker, asyncio.create_task(worker.serve([self.handed[-1]]))

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(*self.shared.getsockname()[:2])


@pytest.fixture
async def port() -> AsyncIterator[Port]:
    found = Port()
    yield found
    for each in (*found.handed, found.shared):
        each.close()


async def answer(reader: asyncio.StreamReader) -> bytes:
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    return head + await reader.readexactly(length)


async def test_told_to_end_while_it_starts_it_takes_no_connection(bench: Bench, port: Port) -> None:
    bench.hold.clear()
    deployment = uuid4()
    bench.versions[1] = Plain(1)
    bench.fleet.prepare(deployment, SPEC.name, 1)
    bench.fleet.flip(deployment)
    worker, serving = port.begin(bench)
    await bench.until(lambda: bench.serving.listener.missing() != "")
    reader, writer = await port.connect()  # in the socket's queue, for whichever worker takes it
    worker.handle_exit(signal.SIGTERM, None)
    bench.hold.set()
    await asyncio.wait_for(serving, 10)
    writer.write(ASK)
    with pytest.raises(TimeoutError):  # neither answered nor reset: another worker will
        await asyncio.wait_for(reader.read(1), 0.3)
    taken, _ = port.shared.accept()
    with taken:
        assert taken.recv(1000) == ASK
    writer.close()


async def test_told_to_end_it_answers_what_is_open_says_close_and_leaves_the_rest_to_others(bench: Bench, port: Port) -> None:
    worker, serving = port.begin(bench)
    await bench.until(lambda: worker.started)
    kept, kept_writer = await port.connect()
    kept_writer.write(ASK)
    assert b"connection: close" not in (await answer(kept)).lower()
    worker.handle_exit(signal.SIGTERM, None)
    await bench.until(lambda: bench.serving.draining)
    assert bench.fleet.beats[-1].state == "draining"
    late, late_writer = await port.connect()
    late_writer.write(ASK)
    kept_writer.write(ASK)
    assert b"200 OK" in (last := await answer(kept))
    assert b"connection: close" in last.lower()
    assert await asyncio.wait_for(kept.read(), 5) == b""  # closed by the worker, after its answer
    await asyncio.wait_for(serving, 10)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(late.read(1), 0.2)
    late_writer.close()
    kept_writer.close()
