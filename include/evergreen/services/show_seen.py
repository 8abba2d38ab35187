"""What the seen index says, to whoever asks about it. Without Redis it says nothing: Unavailable, never a wrong "not seen"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any, Protocol

from evergreen.ports.seen_index import Seen, SeenStats


class AskSeen(Protocol):
    async def maybe_seen(self, items: Sequence[str], today: date, days: int = 7) -> list[Seen]:
        """Raises Unavailable."""


class TellSeen(Protocol):
    async def stats(self, today: date, days: int = 7) -> SeenStats:
        """Raises Unavailable."""


class ShowSeen:
    def __init__(self, index: AskSeen, stats: TellSeen, now: Callable[[], datetime]) -> None:
        self._index = index
        self._stats = stats
        self._now = now

    async def of_video(self, video_id: str, days: int) -> dict[str, Any]:
        """NO is certain as far as the lists have come in; an index that is not ready answers MAYBE."""
        [answer] = await self._index.maybe_seen([video_id], self._today(), days)
        span = "day" if days == 1 else f"{days} days"
        said = f"not seen in the last {span}" if answer is Seen.NO else f"probably seen in the last {span}"
        return {"video_id": video_id, "days": days, "status": said, "certain": answer is Seen.NO}

    async def stats(self) -> dict[str, Any]:
        found = await self._stats.stats(self._today())
        return {
            "total_filters": len(found.filters),
            "total_capacity": found.total_capacity,
            "estimated_items": found.estimated_items,
            "false_positive_rate": found.false_positive_rate,
            "bits": found.bits,
            "ready": found.ready,
        }

    def _today(self) -> date:
        """By platform time, in UTC as the filters are."""
        return self._now().astimezone(UTC).date()
