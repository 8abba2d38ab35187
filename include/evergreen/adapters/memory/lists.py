"""Lists and profiles of one process."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from evergreen.adapters.memory.serving import Part
from evergreen.core.recommending import Taste
from evergreen.ports.lists import Known, Listed, MadeList


class MemoryLists(Part):
    def __init__(self) -> None:
        self.kept: dict[str, tuple[MadeList, int]] = {}
        """With the interactions each reflects."""
        self.tastes: dict[str, Taste] = {}
        self.whole = True
        self.last_popular: Sequence[Listed] = ()
        self.shown: list[tuple[str, tuple[str, ...]]] = []

    async def stored(self, user: str) -> MadeList | None:
        self._answer()
        return self.kept[user][0] if user in self.kept else None

    async def taste(self, user: str, now: datetime) -> Known:
        self._answer()
        return Known(self.tastes.get(user, Taste()), self.whole)

    async def keep(self, user: str, made: MadeList, count: int) -> None:
        self._answer()
        had = self.kept[user][1] if user in self.kept else -1
        if had <= count:
            self.kept[user] = (made, max(had, count - 1))

    async def popular(self) -> Sequence[Listed]:
        self._answer()
        return self.last_popular

    def show(self, user: str, items: Sequence[str]) -> None:
        if not self.away:
            self.shown.append((user, tuple(items)))

    def keep_popular(self, items: Sequence[Listed]) -> None:
        if not self.away:
            self.last_popular = tuple(items)
