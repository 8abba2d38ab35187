"""What several want at once is made once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Guarantee: among those who ask for a key at the same time one makes it. Failure: that one is cancelled, or cannot. Remedy: the next of
    them tries, so nobody fails by another's fault. Belongs to one event loop."""

    def __init__(self) -> None:
        self._flights: dict[str, asyncio.Future[T | None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self, key: str, make: Callable[[], Awaitable[T]]) -> tuple[T, bool]:
        """What was made, and whether this caller made it. Raises what its own `make` raises."""
        while (flight := self._flights.get(key)) is not None:
            await asyncio.wait([flight])
            if flight.done() and not flight.cancelled() and (made := flight.result()) is not None:
                return made, False
        if (loop := self._loop) is None:  # kept: Python 3.11 asks the kernel for the process' id to find it
            loop = self._loop = asyncio.get_running_loop()
        flight = self._flights[key] = loop.create_future()
        result: T | None = None
        try:
            result = await make()
            return result, True
        finally:
            del self._flights[key]
            flight.set_result(result)
