"""Postgres for what happens once in a while: a connection of its own, closed again, for the pool's budget is for predictions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from evergreen.adapters.postgres.store import PostgresStore

T = TypeVar("T")
_DESKS = ThreadPoolExecutor(4, thread_name_prefix="desk")


def with_store(dsn: str, work: Callable[[PostgresStore], T]) -> T:
    """Blocks: not for the event loop."""
    from evergreen.adapters.postgres.store import PostgresStore

    store = PostgresStore(dsn, max_connections=1)
    try:
        return work(store)
    finally:
        store.close()


class OwnStore:
    """The same beside the event loop. Failure: a part hangs and with it those who wait for it here. Remedy: they have threads of their own, so
    that signing in, revocations and metrics go on."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    async def use(self, work: Callable[[PostgresStore], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(_DESKS, with_store, self._dsn, work)
