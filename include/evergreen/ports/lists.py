"""Lists of recommendations as serving finds them, and what it needs to make one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from evergreen.core.as_of import AsOf
from evergreen.core.recommending import Taste


class Listed(NamedTuple):
    item_id: str
    title: str
    score: float
    reason: str


@dataclass(frozen=True)
class MadeList:
    items: Sequence[Listed]
    """Best first."""
    version: str | None
    """`name@N`; None: made without a model."""
    as_of: AsOf
    made: datetime
    """Platform time."""


class Known(NamedTuple):
    taste: Taste
    whole: bool
    """False: profiles were lost and are being made anew, so that an unknown user may be a known one."""


class Lists(Protocol):
    """Each raises Unavailable."""

    async def stored(self, user: str) -> MadeList | None:
        """The one kept for the user; what cannot be read is none."""

    async def taste(self, user: str, now: datetime) -> Known:
        """`now`: platform time. An unknown user's is empty."""

    async def keep(self, user: str, made: MadeList, count: int) -> None:
        """For who asks next, unless one that reflects more is there. `count`: interactions it reflects. Whoever makes the list of these
        interactions for a push still does."""

    async def popular(self) -> Sequence[Listed]:
        """As some version said last; empty where none did."""


class ListTraces(Protocol):
    """What is left of a list without waiting for it. Never raises."""

    def show(self, user: str, items: Sequence[str]) -> None:
        """They are on the user's screen."""

    def keep_popular(self, items: Sequence[Listed]) -> None: ...
