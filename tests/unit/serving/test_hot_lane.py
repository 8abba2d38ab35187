"""The short way through HTTP, on a real socket: what it answers, and what it leaves to the long one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from serving.hot_lane import LONGEST_BODY, HotLane
from serving.worker import Worker, listening
from tests.support.serving_bench import SPEC, Bench

pytestmark = pytest.mark.anyio
BODY = {"video_id": "v1", "features": {"title": "여름", "category_id": 22, "view_count": 1000, "channel_videos": 3}}
DIFFERS = {"prediction_id", "processing_time", "cached"}


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: bytes) -> None:
        self.reader, self.writer, self._token = reader, writer, token

    def ask(self, body: bytes, *head: bytes, path: bytes = b"/predict/video", length: bool = True) -> None:
        lines = [b"POST " + path + b" HTTP/1.1", b"host: a", b"authorization: " + self._token, b"content-type: application/json", *head]
        lines += [b"content-length: %d" % len(body)] if length else []
        self.writer.write(b"\r\n".join(lines) + b"\r\n\r\n" + body)

    async def answer(self) -> tuple[int, dict[str, str], Any]:
        start, *lines = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 5)).decode().split("\r\n")
        head = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
        body = await self.reader.readexactly(int(head["content-length"]))
        return int(start.split()[1]), head, json.loads(body)

    async def said(self, body: Any = None, *head: bytes, path: bytes = b"/predict/video") -> tuple[int, dict[str, str], Any]:
        self.ask(json.dumps(BODY if body is None else body).encode(), *head, path=path)
        return await self.answer()


@pytest.fixture
async def worker(running: Bench) -> AsyncIterator[Worker]:
    running.cache.seconds = 300.0
    listener = listening("127.0.0.1", 0)
    made = Worker(running.app, running.serving)
    made.config.load()
    made.lifespan = made.config.lifespan_class(made.config)
    await made.startup([listener])
    made.server_state.default_headers = [(b"date", b"Thu, 24 Jul 2025 09:00:00 GMT")]
    yield made
    for server in made.servers:
        server.close()
    listener.close()


async def connected(worker: Worker, running: Bench) -> Connection:
    address = worker.servers[0].sockets[0].getsockname()[:2]
    return Connection(*await asyncio.open_connection(*address), running.client().headers["authorization"].encode())


@pytest.fixture
async def connection(worker: Worker, running: Bench) -> AsyncIterator[Connection]:
    made = await connected(worker, running)
    yield made
    made.writer.close()


async def test_both_ways_answer_alike_header_for_header(connection: Connection) -> None:
    names = b"x-request-id: mine", b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await connection.said()
    short = await connection.said(None, *names)
    connection.ask(json.dumps(BODY).encode(), b"expect: 100-continue", *names)  # plain enough for the long way only
    assert await connection.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    long = await connection.answer()
    assert short[0] == long[0] == 200
    assert {name: value for name, value in short[2].items() if name not in DIFFERS} == {n: v for n, v in long[2].items() if n not in DIFFERS}
    assert short[2]["cached"] is long[2]["cached"] is True
    assert short[1].keys() == long[1].keys()
    assert {name: value for name, value in short[1].items() if not name.startswith("ratelimit")} == {
        name: value for name, value in long[1].items() if not name.startswith("ratelimit")
    }


@pytest.mark.parametrize(
    ("body", "status"), [(b"{", 400), (b"[]", 422), (b"[" * 100, 400), (b'{"video_id": "a", "who": 1}', 422), (b'{"video_id": "nobody"}', 404)]
)
async def test_faults_are_told_and_the_connection_goes_on(connection: Connection, body: bytes, status: int) -> None:
    connection.ask(body)
    found, head, said = await connection.answer()
    assert (found, said["status"], head["content-type"]) == (status, status, "application/problem+json")
    assert (await connection.said())[0] == 200


async def test_without_a_token_nobody_gets_in(worker: Worker, running: Bench) -> None:
    stranger = await connected(worker, running)
    stranger._token = b"Bearer nonsense"
    assert (await stranger.said())[0] == 401
    stranger.writer.close()


async def test_requests_that_come_at_once_are_answered_in_their_order(connection: Connection) -> None:
    asked = [f"v{number}" for number in range(20)]
    for entity in asked:
        connection.ask(json.dumps(BODY | {"video_id": entity}).encode())
    assert [(await connection.answer())[2]["video_id"] for _ in asked] == asked


async def test_a_body_in_pieces_is_read_whole(connection: Connection) -> None:
    body = json.dumps(BODY).encode()
    connection.ask(body[:10], b"content-length: %d" % len(body), length=False)
    for at in range(10, len(body), 7):
        await connection.writer.drain()
        await asyncio.sleep(0)
        connection.writer.write(body[at : at + 7])
    assert (await connection.answer())[0] == 200


async def test_large_and_chunked_bodies_take_the_long_way(connection: Connection) -> None:
    rows = json.dumps({"dataframe_records": [dict.fromkeys(SPEC.feature_names, 0.0)] * 3}).encode()
    connection.ask(rows + b" " * LONGEST_BODY, path=b"/invocations")
    status, _, said = await connection.answer()
    assert (status, len(said["predictions"])) == (200, 3)
    body = json.dumps(BODY).encode()
    connection.ask(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body), b"transfer-encoding: chunked", length=False)
    assert (await connection.answer())[0] == 200


async def test_who_asks_to_close_is_closed(connection: Connection) -> None:
    status, head, _ = await connection.said(None, b"connection: close")
    assert (status, head["connection"], await asyncio.wait_for(connection.reader.read(), 5)) == (200, "close", b"")


async def test_while_draining_each_answer_is_a_connections_last(connection: Connection, running: Bench) -> None:
    await connection.said()
    await running.serving.drain()
    status, head, _ = await connection.said()
    assert (status, head["connection"], await asyncio.wait_for(connection.reader.read(), 5)) == (200, "close", b"")


async def test_a_connection_that_lies_idle_too_long_is_closed(worker: Worker, connection: Connection) -> None:
    await connection.said()
    [lane] = worker.server_state.connections
    assert isinstance(lane, HotLane)
    now = asyncio.get_running_loop().time()
    lane.end_if_slow(now + lane.timeout_keep_alive - 1)
    assert (await connection.said())[0] == 200
    lane.end_if_slow(now + lane.timeout_keep_alive + 5)
    assert await asyncio.wait_for(connection.reader.read(), 5) == b""


async def test_a_client_that_leaves_before_its_answer_costs_nothing(worker: Worker, running: Bench, connection: Connection) -> None:
    running.cache.shared = True
    leaving = await connected(worker, running)
    leaving.ask(json.dumps(BODY | {"video_id": "leaving"}).encode())
    leaving.writer.transport.abort()
    assert (await connection.said())[0] == 200
    await running.until(lambda: not worker.server_state.tasks)


@pytest.mark.parametrize("away", [False, True])
async def test_what_the_shared_cache_says_counts(running: Bench, connection: Connection, away: bool) -> None:
    """It is asked without a task; where it has nothing, or is away, the model answers and it is not asked a second time."""
    first = await connection.said()
    running.cache.shared = True
    again = await connection.said({**BODY, "features": dict(reversed(BODY["features"].items()))})  # type: ignore[attr-defined]
    assert (first[2]["cached"], again[2]["cached"]) == (False, True)
    running.cache.entries.clear()
    running.cache.away = away
    missed = await connection.said(BODY | {"video_id": "v2"})
    assert (missed[0], missed[2]["cached"], missed[2]["degraded"]) == (200, False, away)
