"""The load generator against a small server: what it sends, counts and takes for an error."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.load import NUMBER, Load, Outcome, measured, percentile
from benchmarks.load_process import Generator

Answer = Callable[[int, bytes], bytes]


def answer(body: bytes, status: int = 200) -> bytes:
    return f"HTTP/1.1 {status} Said\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class Server:
    """Answers each request with what `said(number, body)` gives; closes the connection when that is empty."""

    def __init__(self, said: Answer) -> None:
        self.said = said
        self.bodies: list[bytes] = []
        self.heads: list[bytes] = []
        self.open = 0
        self.left = asyncio.Event()


class Talk(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, server: Server) -> None:
        self.server = server
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.server.open += 1

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, _, body = self.buffer.partition(b"\r\n\r\n")
        announced = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
        if b"\r\n\r\n" not in self.buffer or len(body) < int(announced or 0):
            return
        self.buffer = b""
        self.server.heads.append(head)
        self.server.bodies.append(body)
        if not (said := self.server.said(len(self.server.bodies), body)):
            self.transport.close()
            return
        self.transport.write(said[:25])  # in two pieces, as a network may deliver it
        asyncio.get_running_loop().call_soon(self.transport.write, said[25:])

    def connection_lost(self, _error: Exception | None) -> None:
        self.server.open -= 1
        if not self.server.open:
            self.server.left.set()


async def against(server: Server, load: Callable[[int], Load]) -> Outcome:
    listening = await asyncio.get_running_loop().create_server(lambda: Talk(server), "127.0.0.1", 0)
    async with listening:
        outcome = await with_kept(load(listening.sockets[0].getsockname()[1]))
        await server.left.wait()
    return outcome


def asked(
    said: Answer,
    folder: Path,
    bodies: tuple[bytes, ...] = (b'{"id":"' + NUMBER + b'"}',),
    *,
    connections: int = 3,
    seconds: float = 10.0,
    rate: float = 0.0,
    count: int = 0,
    skip: int = 0,
    must_hold: str = "",
    keep: str = "",
    stop: str = "",
    method: str = "POST",
) -> tuple[Outcome, Server]:
    file = folder / "bodies.ndjson"
    file.write_bytes(b"\n".join(bodies))

    def load(port: int) -> Load:
        more = {"must_hold": must_hold, "keep": keep, "stop": stop, "method": method}
        return Load(port, "/asked", str(file), connections, seconds, rate, 7, skip, count, {"authorization": "Bearer t"}, **more)

    server = Server(said)
    return asyncio.run(against(server, load)), server


async def with_kept(load: Load) -> Outcome:
    if not load.keep:
        return await Generator(load).run()
    with Path(load.keep).open("wb") as kept:  # noqa: ASYNC230 - a test's file
        return await Generator(load, kept).run()


def well(_number: int, _body: bytes) -> bytes:
    return answer(b'{"fine":true}')


def test_each_request_is_another_one_and_every_answer_is_counted(tmp_path: Path) -> None:
    outcome, server = asked(well, tmp_path, count=50)
    assert (outcome.answers, outcome.errors, outcome.failed) == (50, {}, 0)
    assert sorted(json.loads(body)["id"] for body in server.bodies) == [f"{number:010d}" for number in range(7, 57)]
    assert all(head.startswith(b"POST /asked HTTP/1.1\r\n") and b"\r\nauthorization: Bearer t" in head for head in server.heads)
    assert 0 < outcome.p50_ms <= outcome.p95_ms <= outcome.p99_ms <= outcome.seconds * 1000
    assert outcome.per_second == pytest.approx(50 / outcome.seconds)


def test_bodies_are_sent_in_turn_from_where_it_is_told_to_begin(tmp_path: Path) -> None:
    _, server = asked(well, tmp_path, (b"a", b"b", b"c"), connections=1, count=5, skip=4)
    assert server.bodies == [b"b", b"c", b"a", b"b", b"c"]


def test_another_status_is_an_error_with_a_sample(tmp_path: Path) -> None:
    outcome, _ = asked(lambda number, _: answer(b"wait a moment", 429) if number % 5 == 0 else well(number, b""), tmp_path, count=20)
    assert (outcome.answers, outcome.errors, outcome.sample) == (20, {"status 429": 4}, "wait a moment")


def test_an_answer_without_what_it_must_hold_is_an_error(tmp_path: Path) -> None:
    outcome, _ = asked(lambda number, _: answer(b'{"cached":%s}' % (b"true" if number > 3 else b"false")), tmp_path, count=10, must_hold='"cached":true')
    assert outcome.errors == {"another answer than expected": 3}


def test_a_connection_lost_with_a_question_open_is_an_error_and_the_others_go_on(tmp_path: Path) -> None:
    outcome, _ = asked(lambda number, _: b"" if number == 5 else well(number, b""), tmp_path, count=20)
    assert (outcome.failed, outcome.answers) == (1, 19)
    assert next(iter(outcome.errors)).startswith("connection lost")


def test_an_answer_whose_end_cannot_be_told_is_an_error(tmp_path: Path) -> None:
    outcome, _ = asked(lambda _number, _: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", tmp_path, connections=1, count=5)
    assert (outcome.answers, outcome.failed) == (0, 1)


def test_time_ends_a_load(tmp_path: Path) -> None:
    outcome, server = asked(well, tmp_path, seconds=0.2)
    assert outcome.answers == len(server.bodies) > 0
    assert outcome.seconds == pytest.approx(0.2, abs=0.15)


def test_by_the_clock_it_asks_as_often_as_told_and_keeps_the_answers(tmp_path: Path) -> None:
    outcome, _ = asked(well, tmp_path, seconds=0.5, rate=100.0, keep=str(tmp_path / "kept"))
    assert outcome.answers == 50
    assert (tmp_path / "kept").read_bytes().splitlines() == [b'{"fine":true}'] * 50


def test_by_the_clock_waiting_for_a_free_connection_counts(tmp_path: Path) -> None:
    def slow(_number: int, _body: bytes) -> bytes:
        time.sleep(0.02)
        return answer(b"{}")

    outcome, _ = asked(slow, tmp_path, connections=1, seconds=0.2, rate=100.0)
    assert outcome.answers == 20
    assert outcome.p99_ms > 150  # 20 ms each on one connection, due every 10 ms: the last one waits for half of them


def test_a_file_ends_a_load_by_the_clock(tmp_path: Path) -> None:
    stop = tmp_path / "stop"

    def said(number: int, _body: bytes) -> bytes:
        if number == 10:
            stop.touch()
        return answer(b"{}")

    outcome, _ = asked(said, tmp_path, rate=200.0, stop=str(stop))
    assert 10 <= outcome.answers < 20
    assert outcome.failed == 0


def test_a_load_nobody_listens_to_is_not_a_figure(tmp_path: Path) -> None:
    (tmp_path / "bodies").write_bytes(b"{}")
    with pytest.raises(RuntimeError, match="ConnectionRefused"):
        measured(Load(1, "/", str(tmp_path / "bodies"), 1, 0.1))


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50.0), (0.95, 95.0), (0.99, 99.0), (1.0, 100.0), (0.0, 1.0)])
def test_percentiles_are_the_nearest_rank(share: float, expected: float) -> None:
    assert percentile([float(number) for number in range(1, 101)], share) == expected
    assert percentile([], share) == 0.0


def test_a_get_asks_for_what_follows_the_path_and_sends_nothing(tmp_path: Path) -> None:
    outcome, server = asked(well, tmp_path, (b"/u1?k=20", b"/u2?k=20"), connections=1, count=4, method="GET")
    assert (outcome.answers, outcome.failed, server.bodies) == (4, 0, [b""] * 4)
    assert [head.split(b" ")[:2] for head in server.heads] == [[b"GET", b"/asked/u1?k=20"], [b"GET", b"/asked/u2?k=20"]] * 2
    assert all(b"\r\nauthorization: Bearer t" in head for head in server.heads)
