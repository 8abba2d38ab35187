"""One guarded way to Redis for a process that must answer whatever happens to it.

Guarantee: a call ends within its time-out, with a result or with Unavailable. Failure: Redis is away, paused or slow. Remedy: after a few
failures in a row the breaker opens and calls fail at once; every second one of them may try.

`ask` is the way for requests: commands of one turn of the event loop travel together. `call` has connections of its own, for what is large."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from evergreen.adapters.redis_wire import Command, RedisWire
from evergreen.core.errors import Unavailable

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
        self.client: Redis | None = None
        self._wire: RedisWire | None = None
        if url:
            self._wire = RedisWire(url, timeout_seconds, self.breaker.told)
            pool = BlockingConnectionPool.from_url(
                url,
                max_connections=_MAX_CONNECTIONS,
                timeout=timeout_seconds,
                socket_timeout=timeout_seconds,
                socket_connect_timeout=timeout_seconds,
                retry=Retry(NoBackoff(), 0),
            )
            self.client = Redis.from_pool(pool)

    async def call(self, work: Callable[[Redis], Awaitable[T]]) -> T:
        """Raises Unavailable; lets Redis' own refusals (ResponseError: wrong type, out of memory) through, for they are answers."""
        if self.client is None:
            raise Unavailable("no Redis is configured (EVERGREEN_REDIS__URL)")
        if not self.breaker.admit():
            raise Unavailable("Redis does not answer (breaker open)")
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
        """One reply per command; a refusal is a ResponseError among them. Raises Unavailable, at once or when awaited."""
        if self._wire is None:
            raise Unavailable("no Redis is configured (EVERGREEN_REDIS__URL)")
        if not self.breaker.admit():
            raise Unavailable("Redis does not answer (breaker open)")
        return self._wire.ask(commands)

    def script_soon(self, script: str, keys: list[str], arguments: list[Any]) -> asyncio.Future[list[Any]]:
        """A short script whole, so that one turn does; whoever does not care need not await. Raises Unavailable."""
        return self.ask(("EVAL", script, len(keys), *keys, *arguments))

    async def run_script(self, script: str, keys: list[str], arguments: list[Any]) -> Any:
        """A Lua script, sent whole only when Redis does not know it yet. Raises Unavailable, for a script that Redis refuses too."""
        sha = self._scripts.get(script)
        if sha is None:
            sha = self._scripts[script] = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
        [reply] = await self.ask(("EVALSHA", sha, len(keys), *keys, *arguments))
        if isinstance(reply, ResponseError) and str(reply).startswith("NOSCRIPT"):
            [reply] = await self.ask(("EVAL", script, len(keys), *keys, *arguments))
        if isinstance(reply, ResponseError):
            raise Unavailable(f"Redis refuses: {reply}") from reply
        return reply

    async def close(self) -> None:
        if self._wire is not None:
            self._wire.close()
        if self.client is not None:
            await self.client.aclose()
