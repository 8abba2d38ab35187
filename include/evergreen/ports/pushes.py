"""Lists on their way to the people who look at them: a bounded stream per user, read again from wherever a reader was cut off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol


class Pushed(NamedTuple):
    id: str
    """Grows with each of a user's lists: `milliseconds-number`."""
    body: bytes
    """JSON object."""


class Pushes(Protocol):
    async def begin(self, user: str, after: str | None) -> tuple[Sequence[Pushed], str]:
        """For a reader who had everything up to `after` (None: nothing yet): what he lacks, oldest first, and where to go on. Without a place of his, or
        with one the stream has never reached (it was lost and began anew), the newest alone. Raises Unavailable."""

    async def after(self, user: str, place: str, most: int) -> Sequence[Pushed]:
        """Oldest first. Raises Unavailable."""


class WakeUps(Protocol):
    async def follow(self, heard: Callable[[str | None], None]) -> None:
        """For ever: `heard(user)` when there is something new for one; `heard(None)` when that may have been missed for anybody: at the beginning, and
        after Redis was away. Ends by being cancelled."""
