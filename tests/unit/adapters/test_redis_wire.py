"""Many callers on one connection: their commands travel together and each gets its own replies, whatever is at the other end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from evergreen.adapters.redis_link import FAILURES_TO_OPEN, RedisLink
from evergreen.adapters.redis_wire import Address, Refusal
from evergreen.core.errors import Unavailable

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Server:
    """Counts what it reads, and answers with what it is told."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self.reads: list[bytes] = []
        self.connections = 0
        self.serving: set[asyncio.Task[None]] = set()
        self._answer = answer

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                self.reads.append(data)
                writer.write(self._answer(data))
        writer.close()


@asynccontextmanager
async def served(answer: Callable[[bytes], bytes], *, seconds: float = 0.2, path: str = "") -> AsyncIterator[tuple[Server, RedisLink]]:
    server = Server(answer)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    link = RedisLink(f"redis://127.0.0.1:{listening.sockets[0].getsockname()[1]}{path}", seconds)
    yield server, link
    await link.close()
    listening.close()
    if server.serving:
        await asyncio.wait(server.serving, timeout=5)


def pongs(data: bytes) -> bytes:
    return b"+PONG\r\n" * data.count(b"PING")


async def test_what_is_asked_in_one_turn_travels_together_and_each_gets_its_own() -> None:
    def numbers(data: bytes) -> bytes:
        return b"".join(b":%d\r\n" % int(part.split(b"\r\n")[1]) for part in data.split(b"ECHO\r\n")[1:])

    async with served(numbers) as (server, link):
        await link.ask(("ECHO", 0))
        found = await asyncio.gather(*(link.ask(("ECHO", number), ("ECHO", number + 100)) for number in range(50)))
        assert found == [[number, number + 100] for number in range(50)]
        assert len(server.reads) == 2
        assert server.connections == 1


async def test_a_refusal_is_the_reply_of_its_command_alone() -> None:
    async with served(lambda _: b"-WRONGTYPE no\r\n+OK\r\n") as (_, link):
        refused, taken = await link.ask(("GET", "hash"), ("SET", "k", "v"))
        assert (isinstance(refused, Refusal), taken) == (True, b"OK")
        assert not link.breaker.open


async def test_silence_ends_within_the_time_for_all_and_the_next_connects_anew() -> None:
    quiet = True
    async with served(lambda data: b"" if quiet else pongs(data), seconds=0.05) as (server, link):
        begun = asyncio.get_running_loop().time()
        found = await asyncio.gather(*(link.ask(("PING",)) for _ in range(10)), return_exceptions=True)
        assert asyncio.get_running_loop().time() - begun < 0.5
        assert all(isinstance(one, Unavailable) for one in found)
        assert not link.breaker.open  # one silence, however many waited
        quiet = False
        assert await link.ask(("PING",)) == [b"PONG"]
        assert server.connections == 2


async def test_a_late_reply_never_reaches_another_caller() -> None:
    late: list[asyncio.StreamWriter] = []

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.read(65536)
        late.append(writer)
        if b"second" in asked:
            late[0].write(b"+FOR THE FIRST\r\n")
            await asyncio.sleep(0.01)
            writer.write(b"+FOR THE SECOND\r\n")

    listening = await asyncio.start_server(slow, "127.0.0.1", 0)
    link = RedisLink(f"redis://127.0.0.1:{listening.sockets[0].getsockname()[1]}", 0.05)
    with pytest.raises(Unavailable):
        await link.ask(("GET", "first"))
    assert await link.ask(("GET", "second")) == [b"FOR THE SECOND"]
    await link.close()
    listening.close()
    for writer in late:
        writer.close()


async def test_a_caller_that_gives_up_disturbs_nobody() -> None:
    async with served(pongs) as (_, link):
        one, other = link.ask(("PING",)), link.ask(("PING",))
        one.cancel()
        assert await other == [b"PONG"]
        assert await link.ask(("PING",)) == [b"PONG"]


@pytest.mark.parametrize(
    "nonsense",
    [pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", id="not-redis"), pytest.param(b"+OK\r\n+OK\r\n+OK\r\n", id="more-than-asked")],
)
async def test_who_talks_nonsense_is_left(nonsense: bytes) -> None:
    async with served(lambda _: nonsense) as (server, link):
        for _ in range(2):
            await asyncio.gather(link.ask(("PING",)), return_exceptions=True)
            await asyncio.sleep(0.01)
        assert server.connections == 2


@pytest.mark.parametrize("word", ["LOADING", "MASTERDOWN", "NOAUTH"])
async def test_a_server_that_is_not_ready_is_an_absent_one(word: str) -> None:
    async with served(lambda _: f"-{word} not now\r\n".encode()) as (_, link):
        for _ in range(FAILURES_TO_OPEN):
            with pytest.raises(Unavailable):
                await link.ask(("PING",))
        assert link.breaker.open


async def test_passwords_and_databases_go_first_and_a_refused_one_is_an_absence() -> None:
    async with served(lambda data: b"+OK\r\n" * data.count(b"*"), path="/3") as (server, link):
        assert await link.ask(("PING",)) == [b"OK"]
        assert [b"SELECT" in server.reads[0], b"PING" in server.reads[0], b"PING" in server.reads[1]] == [True, False, True]
    async with served(lambda data: b"-ERR DB index is out of range\r\n" * data.count(b"*"), path="/99") as (_, link):
        with pytest.raises(Unavailable):
            await link.ask(("PING",))


async def test_nobody_there_opens_the_breaker_and_then_calls_fail_at_once() -> None:
    link = RedisLink("redis://127.0.0.1:1/0", 0.05)
    for _ in range(FAILURES_TO_OPEN):
        with pytest.raises(Unavailable):
            await link.ask(("PING",))
    with pytest.raises(Unavailable, match="breaker open"):
        link.ask(("PING",))
    await link.close()


async def test_without_a_url_every_call_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="EVERGREEN_REDIS__URL"):
        RedisLink("", 0.05).ask(("PING",))


@pytest.mark.parametrize(
    ("url", "greeting", "where"),
    [
        pytest.param("redis://h:7/0", [], ("h", 7, ""), id="plain"),
        pytest.param("redis://", [], ("localhost", 6379, ""), id="nothing-said"),
        pytest.param("redis://:p%40ss@h/2", [("AUTH", "p@ss"), ("SELECT", "2")], ("h", 6379, ""), id="password-and-database"),
        pytest.param("rediss://me:secret@[::1]:7", [("AUTH", "me", "secret")], ("::1", 7, ""), id="user-over-tls"),
        pytest.param("unix://:x@/run/redis.sock?db=3", [("AUTH", "x"), ("SELECT", "3")], ("localhost", 6379, "/run/redis.sock"), id="unix"),
    ],
)
def test_addresses_are_read_as_the_library_reads_them(url: str, greeting: list[tuple[str, ...]], where: tuple[str, int, str]) -> None:
    found = Address.of(url)
    assert (found.greeting(), (found.host, found.port, found.path)) == (greeting, where)
    assert found.tls is url.startswith("rediss")
