"""Postgres for an event loop: a small pool that comes back by itself, and a line that listens.

Guarantee: every call ends within its time-out with rows or with Unavailable. Failure: Postgres restarts, is away or hangs. Remedy: broken
connections are thrown away, the next call connects anew."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg

from evergreen.core.errors import Unavailable

T = TypeVar("T")
CALL_SECONDS = 2.0
"""A worker whose heartbeat is five seconds old does not count: a slow moment must leave room for the next one."""
CONNECT_SECONDS = 2.0
RESTED_SECONDS = 1.0
"""After which a connection is asked whether it still answers before it is used."""
_SESSION = {"application_name": "serving", "work_mem": "16MB", "jit": "off"}
"""A search's rows fit into memory page by page; nothing here runs long enough to be worth compiling."""
_DIED = (ConnectionError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.AdminShutdownError, asyncpg.CrashShutdownError)
_FAULTS = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class _Died(Unavailable):
    """The connection broke under the work."""


class _Connection(asyncpg.Connection):
    """Has a place for its `life`."""


@dataclass
class _Life:
    born: float
    used: float


class AsyncPostgres:
    """Belongs to one event loop."""

    def __init__(self, dsn: str, *, kept: int = 2, max_connections: int = 4, recycle_seconds: float = 3600.0) -> None:
        """`kept` connections stay open; those beyond are closed as soon as nobody waits for one."""
        self._dsn = dsn
        self._kept = kept
        self._max = max_connections
        self._recycle = recycle_seconds
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()
        self._line: asyncpg.Connection | None = None
        self._asking = 0
        """How many have a connection or wait for one."""

    async def fetch(self, query: str, *values: object) -> list[asyncpg.Record]:
        return await self._reading(lambda connection: connection.fetch(query, *values))

    async def fetch_row(self, query: str, *values: object) -> asyncpg.Record | None:
        return await self._reading(lambda connection: connection.fetchrow(query, *values))

    async def fetch_planned(self, query: str, *values: object, seconds: float = CALL_SECONDS) -> list[asyncpg.Record]:
        """Planned for these very values, and given more time: for an aggregation whose best plan depends on them. Groups are few,
        whatever the planner believes of an expression's: never sorted into, and passed on by parallel workers at no cost."""

        async def planned(connection: Any) -> list[asyncpg.Record]:
            async with connection.transaction(readonly=True):
                await connection.execute("SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL enable_sort = off; SET LOCAL parallel_tuple_cost = 0")
                return list(await connection.fetch(query, *values, timeout=seconds))

        return await self._reading(planned)

    async def execute(self, query: str, *values: object) -> int:
        """How many rows it changed."""
        status = await self._with(lambda connection: connection.execute(query, *values))
        last = status.rsplit(" ", 1)[-1]
        return int(last) if last.isdigit() else 0

    async def listen(self, channel: str, heard: Callable[[], None]) -> None:
        """Call `heard` at each notification from now on. To be repeated whenever it may have broken: it does nothing while the line stands."""
        if self._line is not None and not self._line.is_closed():
            return
        try:
            line = await asyncpg.connect(self._dsn, timeout=CONNECT_SECONDS, command_timeout=CALL_SECONDS, server_settings={"application_name": "serving"})
            await line.add_listener(channel, lambda *_: heard())
            self._line = line
        except _FAULTS as error:
            raise Unavailable(f"Postgres does not answer: {type(error).__name__}") from error

    async def close(self) -> None:
        for part in (self._line, self._pool):
            if part is not None:
                part.terminate()

    async def _reading(self, work: Callable[[Any], Awaitable[T]]) -> T:
        """Reading again does no harm: a connection that died under it is worth one more try."""
        try:
            return await self._with(work)
        except _Died:
            return await self._with(work)

    async def _with(self, work: Callable[[Any], Awaitable[T]]) -> T:
        try:
            pool = await self._open()
            async with self._sound(pool) as connection:
                return await work(connection)
        except _DIED as error:
            raise _Died(f"Postgres does not answer: {type(error).__name__}") from error
        except _FAULTS as error:
            raise Unavailable(f"Postgres does not answer: {type(error).__name__}") from error

    @asynccontextmanager
    async def _sound(self, pool: asyncpg.Pool) -> AsyncIterator[Any]:
        """A connection that is young enough and, when it has rested, still answers; the others on the way to it are thrown away."""
        self._asking += 1
        try:
            for others in range(self._max, -1, -1):
                connection = await pool.acquire(timeout=CONNECT_SECONDS)
                try:
                    if not await self._fit(connection) and others:
                        continue
                    yield connection
                    return
                finally:
                    await self._give_back(pool, connection)
        finally:
            self._asking -= 1

    async def _give_back(self, pool: asyncpg.Pool, connection: Any) -> None:
        if not _is_gone(connection):
            connection.life.used = time.monotonic()
            if pool.get_size() > max(self._kept, self._asking - 1):
                connection.terminate()  # no farewell: whoever waits for an answer must not wait for that too
        await pool.release(connection)

    async def _fit(self, connection: Any) -> bool:
        """False: it was ended, and the next one is to be looked at."""
        life, now = connection.life, time.monotonic()
        if life.used == life.born:
            return True  # new
        if now - life.born > self._recycle:
            await connection.close(timeout=CONNECT_SECONDS)
            return False
        if now - life.used <= RESTED_SECONDS:
            return True
        try:
            await connection.fetchval("SELECT 1")
        except _DIED:
            connection.terminate()
            return False
        return True

    async def _open(self) -> asyncpg.Pool:
        async with self._opening:
            if self._pool is None:
                if not self._dsn:
                    raise Unavailable("no Postgres is configured (EVERGREEN_POSTGRES__DSN)")
                self._pool = await asyncpg.create_pool(
                    self._dsn,
                    min_size=0,
                    max_size=self._max,
                    timeout=CONNECT_SECONDS,
                    command_timeout=CALL_SECONDS,
                    max_inactive_connection_lifetime=self._recycle,
                    server_settings=_SESSION,
                    init=_prepared,
                    connection_class=_Connection,
                )
            return self._pool


def _is_gone(connection: Any) -> bool:
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:  # its pool has it back already, as of every connection that ended
        return True


async def _prepared(connection: Any) -> None:
    connection.life = _Life(now := time.monotonic(), now)
    for name in ("json", "jsonb"):
        await connection.set_type_codec(name, encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


async def connections_of(dsn: str) -> int:
    """What the server takes beside those it keeps for its administrators. Raises Unavailable."""
    try:
        connection = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS, command_timeout=CALL_SECONDS, server_settings={"application_name": "serving"})
        try:
            return int(await connection.fetchval(_LIMIT))
        finally:
            connection.terminate()
    except _FAULTS as error:
        raise Unavailable(f"Postgres does not answer: {type(error).__name__}") from error


_LIMIT = """
SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
     - coalesce(current_setting('reserved_connections', true)::int, 0)
"""
