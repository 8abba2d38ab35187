"""Pushed lists on real sockets: WebSocket clients, clients that do not read, a worker that goes."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from evergreen.core.access import ALLOWED, Need, Role
from evergreen.core.clock import wall_now
from serving import push_socket, push_stream
from serving.worker import Worker, listening
from tests.support.listed import list_body, number_of
from tests.support.serving_bench import Bench

pytestmark = pytest.mark.anyio


@dataclass
class Live:
    bench: Bench
    worker: Worker
    serving: asyncio.Task[None]
    port: int

    def bearer(self, *roles: Role, subject: str = "u1") -> dict[str, str]:
        return {"authorization": f"Bearer {self.bench.door.token(*(roles or (Role.USER,)), subject=subject)}"}

    def connect(self, user: str = "u1", query: str = "", headers: dict[str, str] | None = None) -> connect:
        headers = self.bearer() if headers is None else headers
        return connect(f"ws://127.0.0.1:{self.port}/recommendations/{user}/ws{query}", additional_headers=headers)

    async def refused(self, user: str = "u1", query: str = "", headers: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
        with pytest.raises(InvalidStatus) as refusal:
            async with self.connect(user, query, headers):
                pass
        assert refusal.value.response.headers["x-request-id"]
        return refusal.value.response.status_code, json.loads(refusal.value.response.body or b"{}")

    async def open_stream(self, receive_bytes: int) -> socket.socket:
        """A client that reads only when it is told to."""
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, ("127.0.0.1", self.port))
        head = "".join(f"{name}: {value}\r\n" for name, value in self.bearer().items())
        await loop.sock_sendall(client, f"GET /recommendations/u1/stream HTTP/1.1\r\nhost: x\r\n{head}\r\n".encode())
        return client


@pytest.fixture
async def live(bench: Bench) -> AsyncIterator[Live]:
    with listening("127.0.0.1", 0) as listener:
        worker = Worker(bench.app, bench.serving)
        handed = listener.dup()
        serving = asyncio.create_task(worker.serve([handed]))
        await bench.until(lambda: worker.started)
        yield Live(bench, worker, serving, listener.getsockname()[1])
        worker.should_exit = True
        await asyncio.wait_for(serving, 15)
        handed.close()


async def said(connection: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(await asyncio.wait_for(connection.recv(), 5))
    return message


async def left_of(client: socket.socket) -> bytes:
    """What comes until the connection ends, however it does."""
    taken = b""
    with suppress(ConnectionResetError):
        while piece := await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 65_536), 5):
            taken += piece
    return taken


async def test_a_socket_begins_with_the_newest_and_hears_of_each_that_follows(live: Live) -> None:
    live.bench.pushes.push("u1", list_body("u1", 1))
    async with live.connect() as connection:
        assert number_of((await said(connection))["list"]) == 1
        live.bench.pushes.push("u2", list_body("u2", 0))
        place = live.bench.pushes.push("u1", list_body("u1", 2))
        second = await said(connection)
        assert (second["id"], number_of(second["list"])) == (place, 2)
    for number in (3, 4):
        live.bench.pushes.push("u1", list_body("u1", number))
    async with live.connect(query=f"?last_event_id={place}") as again:
        assert [number_of((await said(again))["list"]) for _ in range(2)] == [3, 4]
        live.bench.pushes.push("u1", list_body("u1", 5))
        assert number_of((await said(again))["list"]) == 5
    await live.bench.until(lambda: live.bench.hub.count == 0)


async def test_who_is_not_let_in_hears_why_before_anything_is_accepted(live: Live) -> None:
    assert (await live.refused(headers={}))[0] == 401
    for role in Role:
        if role in ALLOWED[Need.OWN] - {Role.USER}:
            async with live.connect(headers=live.bearer(role, subject="other")):
                continue
        status, problem = await live.refused(headers=live.bearer(role, subject="other"))
        assert (status, problem["type"]) == (403, "urn:evergreen:problem:forbidden"), role
    assert (await live.refused(query="?last_event_id=x"))[0] == 422
    assert (await live.refused(user="a%20b"))[0] == 404
    with pytest.raises(InvalidStatus, match="404"):
        async with connect(f"ws://127.0.0.1:{live.port}/recommendations/u1", additional_headers=live.bearer()):
            pass
    assert live.bench.hub.count == 0


async def test_a_browser_comes_with_a_ticket(live: Live) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{live.port}", headers=live.bearer()) as client:
        tickets = [(await client.post("/auth/ticket")).json()["ticket"] for _ in range(2)]
    async with live.connect(query=f"?ticket={tickets[0]}", headers={}):
        assert live.bench.hub.count == 1
    assert (await live.refused(query=f"?ticket={tickets[0]}", headers={}))[0] == 401
    assert (await live.refused(user="u2", query=f"?ticket={tickets[1]}", headers={}))[0] == 403


async def test_a_user_holds_so_many_and_room_comes_back(live: Live) -> None:
    open_ones = [await live.connect() for _ in range(3)]
    status, problem = await live.refused()
    assert (status, problem["type"]) == (429, "urn:evergreen:problem:too-many-requests")
    assert "3 streams of this user" in problem["detail"]
    await open_ones[0].close()
    await live.bench.until(lambda: live.bench.hub.count == 2)
    async with live.connect():
        pass
    for one in open_ones:
        await one.close()


async def test_a_socket_that_talks_is_closed(live: Live) -> None:
    async with live.connect() as connection:
        await connection.send("hello")
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(connection.recv(), 5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1003


async def test_a_socket_lasts_no_longer_than_its_token(live: Live) -> None:
    minted = live.bench.door.mint.mint("u1", [Role.USER], 10)
    async with live.connect(headers={"authorization": f"Bearer {minted.token}"}) as connection:
        live.bench.door.manage.revoke_token(minted.token_id, wall_now(), "test")
        await live.bench.door.access.follower.look()
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(connection.recv(), 5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


async def test_who_does_not_read_is_dropped_and_nobody_else_notices(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push_stream, "SLOW_SECONDS", 0.3)
    stuck = await live.open_stream(receive_bytes=4_096)
    async with live.connect() as reader:
        await live.bench.until(lambda: live.bench.hub.count == 2)
        for number in range(60):
            live.bench.pushes.push("u1", list_body("u1", number, filler="x" * 2_000))
            assert number_of((await said(reader))["list"]) == number
        await live.bench.until(lambda: live.bench.hub.count == 1)
        assert 'why="slow"} 1.0' in live.bench.metrics.render().decode()
        assert len(taken := await left_of(stuck)) < 400_000  # of 1.2 MB: nothing was kept for it
        assert not taken.endswith(b"0\r\n\r\n")  # dropped in the middle
    stuck.close()


async def test_a_socket_that_does_not_read_is_dropped_too(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push_socket, "SLOW_SECONDS", 0.3)
    async with live.connect() as stuck:
        stuck.transport.pause_reading()
        await live.bench.until(lambda: live.bench.hub.count == 1)
        for _ in range(200):
            live.bench.pushes.push("u1", list_body("u1", 1, filler="x" * 6_000))
            await asyncio.sleep(0.01)
            if live.bench.hub.count == 0:
                break
        await live.bench.until(lambda: live.bench.hub.count == 0)
        stuck.transport.abort()


async def test_told_to_end_it_sends_everybody_away_at_once(live: Live) -> None:
    place = live.bench.pushes.push("u1", list_body("u1", 1))
    async with live.connect() as connection, httpx.AsyncClient(timeout=10) as client:
        url = f"http://127.0.0.1:{live.port}/recommendations/u1/stream"
        async with client.stream("GET", url, headers={**live.bearer(), "last-event-id": place}) as answer:
            lines = answer.aiter_lines()
            assert (await anext(lines)).startswith("retry: ")
            assert (await said(connection))["id"] == place
            live.worker.handle_exit(signal.SIGTERM, None)
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(connection.recv(), 2)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012
            assert [line async for line in lines if line and line != ":"] == []  # a whole answer that ends
    await asyncio.wait_for(live.serving, 2.5)


async def test_a_client_that_goes_leaves_nothing_behind(live: Live) -> None:
    for _ in range(5):
        client = await live.open_stream(4_096)
        await live.bench.until(lambda: live.bench.hub.count == 1)
        client.close()
        await live.bench.until(lambda: live.bench.hub.count == 0)
