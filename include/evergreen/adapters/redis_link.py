"""One guarded way to Redis for a process that must answer whatever happens to it.

Guarantee: a call ends within its time-out, with a result or with Unavailable. Failure: Redis is away, paused or slow. Remedy: after a few
failures in a row the breaker opens and calls fail at once; every second one of them may try.

`ask` is the way for requests: commands of one turn of the event loop travel together. `call` is for who needs the library itself."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from evergreen.adapters.redis_wire import Command, RedisWire, Refusal
from evergreen.core.errors import Unavailable

if TYPE_CHECKING:
    from redis.asyncio import Redis

T = TypeVar("T")
FAILURES_TO_OPEN = 3
REST_SECONDS = 1.0
_MAX_CONNECTIONS = 16


class Breaker:
    """Closed: calls go through. Open: they do not, but one trial per rest. A success closes it."""

    def __init__(self, on_change: Callable[[bool], None] | None = None) -> None:
        self._failures = 0
        self._retry_at = 0.0
        self._on_change = on_change

    @property
    def open(self) -> bool:
        return self._failures >= FAILURES_TO_OPEN

    def admit(self) -> bool:
        if not self.open:
            return True
        now = time.monotonic()
        if now < self._retry_at:
            return False
        self._retry_at = now + REST_SECONDS
        return True

    def told(self, answered: bool) -> None:
        if not answered:
            self.failed()
        elif self._failures:
            self.succeeded()

    def succeeded(self) -> None:
        was, self._failures = self.open, 0
        self._tell(was)

    def failed(self) -> None:
        was = self.open
        self._failures += 1
        if self.open:
            self._retry_at = time.monotonic() + REST_SECONDS
        self._tell(was)

    def _tell(self, was: bool) -> None:
        if self._on_change is not None and was != self.open:
            self._on_change(self.open)


class RedisLink:
    """Belongs to one event loop. Without a URL every call is Unavailable: a process without Redis is a degraded one, not a broken one."""

    def __init__(self, url: str, timeout_seconds: float, on_change: Callable[[bool], None] | None = None) -> None:
        self._timeout = timeout_seconds
        self.breaker = Breaker(on_change)
        self._scripts: dict[str, str] = {}
        self._url = url
        self._wire = RedisWire(url, timeout_seconds, self.breaker.told) if url else None
        self._large = RedisWire(url, timeout_seconds, self.breaker.told) if url else None

    @cached_property
    def client(self) -> Redis | None:
        """The library's own, with its own connections; importing it takes a tenth of a second."""
        if not self._url:
            return None
        from redis.asyncio import BlockingConnectionPool, Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        pool = BlockingConnectionPool.from_url(
            self._url,
            max_connections=_MAX_CONNECTIONS,
            timeout=self._timeout,
            socket_timeout=self._timeout,
            socket_connect_timeout=self._timeout,
            retry=Retry(NoBackoff(), 0),
        )
        return Redis.from_pool(pool)

    async def call(self, work: Callable[[Redis], Awaitable[T]]) -> T:
        """Raises Unavailable; lets Redis' own refusals (ResponseError: wrong type, out of memory) through, for they are answers."""
        if self.client is None:
            raise Unavailable("no Redis is configured (EVERGREEN_REDIS__URL)")
        if not self.breaker.admit():
            raise Unavailable("Redis does not answer (breaker open)")
        from redis.exceptions import RedisError, ResponseError

        try:
            async with asyncio.timeout(self._timeout):
                result = await work(self.client)
        except ResponseError:
            self.breaker.succeeded()
            raise
        except (RedisError, OSError, TimeoutError) as error:
            self.breaker.failed()
            raise Unavailable(f"Redis does not answer: {type(error).__name__}") from error
        self.breaker.succeeded()
        return result

    def ask(self, *commands: Command) -> asyncio.Future[list[Any]]:
        """One reply per command; what Redis refuses is a Refusal among them. Raises Unavailable, at once or when awaited."""
        return self._admitted(self._wire).ask(commands)

    def ask_large(self, *commands: Command) -> asyncio.Future[list[Any]]:
        """The same on a connection of its own: nobody waits behind what is large."""
        return self._admitted(self._large).ask(commands)

    def _admitted(self, wire: RedisWire | None) -> RedisWire:
        if wire is None:
            raise Unavailable("no Redis is configured (EVERGREEN_REDIS__URL)")
        if not self.breaker.admit():
            raise Unavailable("Redis does not answer (breaker open)")
        return wire

    def tell(self, *command: str | bytes | int) -> asyncio.Future[list[Any]] | None:
        """For whom it is enough that Redis probably hears it: nobody waits for the reply. None: Unavailable, it was not sent."""
        try:
            return self.ask(command)
        except Unavailable:
            return None

    async def run_script(self, script: str, keys: list[str], arguments: list[Any]) -> Any:
        """A Lua script, sent whole only when Redis does not know it yet. Raises Unavailable, for a script that Redis refuses too."""
        sha = self._scripts.get(script)
        if sha is None:
            sha = self._scripts[script] = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
        [reply] = await self.ask(("EVALSHA", sha, len(keys), *keys, *arguments))
        if isinstance(reply, Refusal) and str(reply).startswith("NOSCRIPT"):
            [reply] = await self.ask(("EVAL", script, len(keys), *keys, *arguments))
        if isinstance(reply, Refusal):
            raise Unavailable(f"Redis refuses: {reply}") from reply
        return reply

    async def close(self) -> None:
        for wire in (self._wire, self._large):
            if wire is not None:
                wire.close()
        client = self.__dict__.get("client")
        if client is not None:
            await client.aclose()
