"""One connection to Redis that many callers share: what they ask in one turn of the event loop travels as one pipeline.

Guarantee: whoever asked gets the replies to its own commands, in order, or Unavailable within the time-out. Failure: Redis is away, paused,
slow or talks nonsense. Remedy: replies have no names, so after one that is late nothing on this connection can be told apart any more; it is
dropped, all who wait on it hear so, and the next command connects anew."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlsplit

import hiredis

from evergreen.core.errors import Unavailable

Command = tuple[str | bytes | int | float, ...]
_pack = cast("Callable[[Command], bytes]", hiredis.pack_command)
MAX_WAITING = 4096
_GRACE_SECONDS = 0.002
"""After a stall of this process the answer may lie in the socket unread: one more turn to read it, within the time-out."""
_NOT_READY = ("LOADING", "MASTERDOWN", "CLUSTERDOWN", "NOAUTH", "READONLY")


class Refusal(Exception):
    """What Redis says instead of an answer: wrong type, out of memory, no such script."""


@dataclass(frozen=True)
class Address:
    """`redis[s]://[user][:password]@host:port/db[?ssl_ca_certs=FILE]` or `unix://…/path[?db=N]`."""

    host: str
    port: int
    path: str
    db: str
    user: str
    password: str
    tls: bool
    certificates: str | None

    @staticmethod
    def of(url: str) -> Address:
        found = urlsplit(url)
        asked = {name: values[-1] for name, values in parse_qs(found.query).items()}
        unix = found.scheme == "unix"
        db = asked.get("db") or ("" if unix else unquote(found.path).strip("/"))
        user, password = unquote(found.username or ""), unquote(found.password or "")
        path = unquote(found.path) if unix else ""
        return Address(found.hostname or "localhost", found.port or 6379, path, db, user, password, found.scheme == "rediss", asked.get("ssl_ca_certs"))

    def context(self) -> Any:
        if not self.tls:
            return None
        import ssl

        return ssl.create_default_context(cafile=self.certificates)

    def greeting(self) -> list[Command]:
        said: list[Command] = []
        if self.password:
            said.append(("AUTH", self.user, self.password) if self.user else ("AUTH", self.password))
        if self.db not in ("", "0"):
            said.append(("SELECT", self.db))
        return said


class _Group:
    """Commands of one caller."""

    __slots__ = ("asked", "deadline", "future", "replies")

    def __init__(self, future: asyncio.Future[list[Any]], asked: int, deadline: float) -> None:
        self.future = future
        self.asked = asked
        self.deadline = deadline
        self.replies: list[Any] = []


class RedisWire(asyncio.Protocol):
    """Belongs to one event loop. `told(answered)`: for the breaker; False once per connection that failed, however many waited on it."""

    def __init__(self, url: str, timeout_seconds: float, told: Callable[[bool], None]) -> None:
        self._address = Address.of(url)
        self._timeout = timeout_seconds
        self._told = told
        self._loop: asyncio.AbstractEventLoop | None = None
        self._out: list[bytes] = []
        self._waiting: deque[_Group] = deque()
        self._transport: asyncio.Transport | None = None
        self._greeted = False
        """Nothing is asked before: a refused password or database must not become an answer from another one."""
        self._reader = _reader()
        self._connecting: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._flush_due = False

    def ask(self, commands: tuple[Command, ...]) -> asyncio.Future[list[Any]]:
        """One reply per command; what Redis refuses is a Refusal among them. Raises Unavailable, now or later."""
        if len(self._waiting) >= MAX_WAITING:
            raise Unavailable("too many commands wait for Redis")
        if (loop := self._loop) is None:  # kept: Python 3.11 asks the kernel for the process' id to find it
            loop = self._loop = asyncio.get_running_loop()
        group = _Group(loop.create_future(), len(commands), loop.time() + self._timeout - _GRACE_SECONDS)
        self._waiting.append(group)
        self._out.extend([_pack(command) for command in commands])
        if not self._flush_due:
            self._flush_due = True
            loop.call_soon(self._flush)
        return group.future

    def close(self) -> None:
        self._fail("closed")

    def _flush(self) -> None:
        self._flush_due = False
        if self._timer is None and self._waiting:
            self._timer = asyncio.get_running_loop().call_at(self._waiting[0].deadline, self._expire, None)
        if self._transport is not None:
            if self._greeted:
                self._transport.write(b"".join(self._out))
                self._out.clear()
        elif self._connecting is None and self._waiting:
            self._connecting = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        where = self._address
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout):
                if where.path:
                    await loop.create_unix_connection(lambda: self, where.path)
                else:
                    await loop.create_connection(lambda: self, where.host, where.port, ssl=where.context())
        except (OSError, TimeoutError) as error:
            self._connecting = None
            self._break(type(error).__name__)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._connecting = cast("asyncio.Transport", transport), None
        greeting = self._address.greeting()
        self._greeted = not greeting
        if greeting:
            loop = asyncio.get_running_loop()
            deadline = self._waiting[0].deadline if self._waiting else loop.time() + self._timeout
            group = _Group(loop.create_future(), len(greeting), deadline)
            group.future.add_done_callback(self._heard)
            self._waiting.appendleft(group)
            self._transport.write(b"".join(_pack(command) for command in greeting))
        self._flush()

    def _heard(self, greeting: asyncio.Future[list[Any]]) -> None:
        if greeting.exception() is not None:
            return
        if any(isinstance(reply, Exception) for reply in greeting.result()):
            self._break("it refuses this client")
        else:
            self._greeted = True
            self._flush()

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not False:
                self._reply(reply)
        except hiredis.ProtocolError:
            self._break("it does not speak its protocol")

    def _reply(self, reply: Any) -> None:
        if not self._waiting:
            self._break("it says more than it was asked")
            return
        group = self._waiting[0]
        group.replies.append(reply)
        if len(group.replies) < group.asked:
            return
        self._waiting.popleft()
        away = next((one for one in group.replies if isinstance(one, Refusal) and str(one).startswith(_NOT_READY)), None)
        self._told(away is None)
        if group.future.done():
            return
        if away is None:
            group.future.set_result(group.replies)
        else:
            _refuse(group.future, str(away).split(" ", 1)[0])

    def connection_lost(self, error: Exception | None) -> None:
        if self._waiting:
            self._break("it closed the connection")
        self._transport = None

    def _expire(self, late: _Group | None) -> None:
        """Called when the oldest is due, and once more after the grace."""
        self._timer = None
        if not self._waiting:
            return
        loop, oldest = asyncio.get_running_loop(), self._waiting[0]
        if oldest is late:
            self._break("TimeoutError")
        elif oldest.deadline <= loop.time():
            self._timer = loop.call_later(_GRACE_SECONDS, self._expire, oldest)
        else:
            self._timer = loop.call_at(oldest.deadline, self._expire, None)

    def _break(self, reason: str) -> None:
        self._told(False)
        self._fail(reason)

    def _fail(self, reason: str) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._connecting is not None:
            self._connecting.cancel()
        transport, self._transport, self._connecting, self._timer = self._transport, None, None, None
        self._greeted = False
        waiting, self._waiting = self._waiting, deque()
        self._out.clear()
        self._reader = _reader()
        if transport is not None:
            transport.set_protocol(asyncio.Protocol())  # what still comes on it is nobody's
            transport.abort()
        for group in waiting:
            if not group.future.done():
                _refuse(group.future, reason)


def _refuse(future: asyncio.Future[list[Any]], reason: str) -> None:
    future.set_exception(Unavailable(f"Redis does not answer: {reason}"))
    future.exception()  # looked at: a write that nobody waits for is no error of the event loop


def _reader() -> Any:
    return hiredis.Reader(replyError=Refusal)
