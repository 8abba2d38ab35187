"""Users of the recommender, of one process."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from evergreen.adapters.memory.serving import Part
from evergreen.core.recommending import Taste, milliseconds
from evergreen.ports.audience import ActiveUser, Traces


class MemoryAudience(Part):
    def __init__(self, tastes: dict[str, Taste]) -> None:
        self.users: list[ActiveUser] = []
        """Newest first."""
        self.left: dict[str, Traces] = {}
        self._tastes = tastes

    async def known(self, part: str, most: int) -> Sequence[ActiveUser]:
        self._answer()
        return [one for one in self.users if part.lower() in one.user.lower()][:most]

    async def traces(self, user: str) -> Traces:
        self._answer()
        return self.left.get(user, Traces((), (), {}))

    def active_since(self, wall_ms: int) -> Sequence[tuple[str, int]]:
        self._answer()
        return [(one.user, at) for one in self.users if one.active_at is not None and (at := milliseconds(one.active_at)) > wall_ms]

    def read(self, users: Sequence[str], now: datetime) -> Sequence[Taste]:
        self._answer()
        return [self._tastes.get(user, Taste()) for user in users]
