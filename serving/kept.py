"""An answer that takes a while, kept: whoever asks again gets the one there is, and a new one is made behind it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import structlog

from evergreen.core.errors import EvergreenError

T = TypeVar("T")
log = structlog.get_logger(__name__)


class Kept(Generic[T]):
    """Guarantee: `make` runs once at a time, however many ask; nobody gets an answer older than `usable` seconds; one older than `fresh` is made
    anew. Failure: `make` raises. Remedy: whoever waited is told, whoever had a usable answer keeps it. Belongs to one event loop."""

    def __init__(self, make: Callable[[], Awaitable[T]], *, fresh: float, usable: float) -> None:
        self._make, self._fresh, self._usable = make, fresh, usable
        self._found: tuple[float, T] | None = None
        self._making: asyncio.Task[T] | None = None

    async def get(self) -> T:
        age = self._usable if self._found is None else time.monotonic() - self._found[0]
        if self._found is not None and age < self._fresh:
            return self._found[1]
        making = self._begin()
        if self._found is not None and age < self._usable:
            return self._found[1]
        return await asyncio.shield(making)

    def _begin(self) -> asyncio.Task[T]:
        if self._making is None or self._making.done():
            self._making = asyncio.create_task(self._renew())
            self._making.add_done_callback(_heard)
        return self._making

    async def _renew(self) -> T:
        found = await self._make()
        self._found = time.monotonic(), found
        return found


def _heard(task: asyncio.Task[T]) -> None:
    """Whoever waits raises it; behind an answer that is still usable nobody does."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.info("not_looked_again", error=str(error) if isinstance(error, EvergreenError) else type(error).__name__)
