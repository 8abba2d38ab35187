"""Pushed lists of one process, and its own word that there is a new one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from evergreen.adapters.memory.serving import Part
from evergreen.ports.pushes import Pushed


class MemoryPushes(Part):
    def __init__(self, kept: int = 50) -> None:
        self._kept = kept
        self._streams: dict[str, list[Pushed]] = {}
        self._followers: list[Callable[[str | None], None]] = []
        self._at = 0

    def push(self, user: str, body: bytes) -> str:
        self._at += 1
        stream = self._streams.setdefault(user, [])
        stream.append(Pushed(f"{self._at}-0", body))
        del stream[: -self._kept]
        self.wake(user)
        return stream[-1].id

    def wake(self, user: str | None) -> None:
        for heard in self._followers:
            heard(user)

    async def begin(self, user: str, after: str | None) -> tuple[Sequence[Pushed], str]:
        self._answer()
        stream = self._streams.get(user, [])
        if not stream:
            return (), "0-0"
        if after is None or _number(after) > _number(stream[-1].id):
            return stream[-1:], stream[-1].id
        found = await self.after(user, after, len(stream))
        return found, found[-1].id if found else after

    async def after(self, user: str, place: str, most: int) -> Sequence[Pushed]:
        self._answer()
        return [one for one in self._streams.get(user, []) if _number(one.id) > _number(place)][:most]

    async def follow(self, heard: Callable[[str | None], None]) -> None:
        self._followers.append(heard)
        heard(None)
        try:
            await asyncio.Event().wait()
        finally:
            self._followers.remove(heard)


def _number(place: str) -> tuple[int, int]:
    milliseconds, _, number = place.partition("-")
    return int(milliseconds), int(number or 0)
