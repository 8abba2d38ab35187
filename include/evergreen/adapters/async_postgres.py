"""Postgres for an event loop: a small pool that comes back by itself, and a line that listens.

Guarantee: every call ends within its time-out with rows or with Unavailable. Failure: Postgres restarts, is away or hangs. Remedy: broken
connections are thrown away, the next call connects anew."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncpg

from evergreen.core.errors import Unavailable

T = TypeVar("T")
CALL_SECONDS = 2.0
"""A worker whose heartbeat is five seconds old does not count: a slow moment must leave room for the next one."""
CONNECT_SECONDS = 2.0
_FAULTS = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class AsyncPostgres:
    """Belongs to one event loop."""

    def __init__(self, dsn: str, *, max_connections: int = 4) -> None:
        self._dsn = dsn
        self._max = max_connections
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()
        self._line: asyncpg.Connection | None = None

    async def fetch(self, query: str, *values: object) -> list[asyncpg.Record]:
        return await self._with(lambda connection: connection.fetch(query, *values))

    async def fetch_row(self, query: str, *values: object) -> asyncpg.Record | None:
        return await self._with(lambda connection: connection.fetchrow(query, *values))

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

    async def _with(self, work: Callable[[Any], Awaitable[T]]) -> T:
        try:
            pool = await self._open()
            async with pool.acquire(timeout=CONNECT_SECONDS) as connection:
                return await work(connection)
        except _FAULTS as error:
            raise Unavailable(f"Postgres does not answer: {type(error).__name__}") from error

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
                    max_inactive_connection_lifetime=3600,
                    server_settings={"application_name": "serving"},
                    init=_json_columns,
                )
            return self._pool


async def _json_columns(connection: Any) -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(name, encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
