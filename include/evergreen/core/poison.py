"""When one partition brings so much poison that something is wrong with its producer: pause it, say so, and go on by itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

WINDOW = 200
SHARE = 0.05
IN_A_ROW = 50
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(minutes=5)


@dataclass
class PoisonWatch:
    """One partition's. `note` answers with how long to pause: more than 5 % of the last 200 messages, or 50 in a row, were poison.
    Each pause is twice the one before until a whole window passes without one."""

    _recent: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW))
    _in_a_row: int = 0
    _next_pause: timedelta = FIRST_PAUSE

    def note(self, *, poison: bool) -> timedelta | None:
        self._recent.append(poison)
        self._in_a_row = self._in_a_row + 1 if poison else 0
        full = len(self._recent) == WINDOW
        if self._in_a_row >= IN_A_ROW or (full and sum(self._recent) > SHARE * WINDOW):
            pause, self._next_pause = self._next_pause, min(self._next_pause * 2, LONGEST_PAUSE)
            self._recent.clear()
            self._in_a_row = 0
            return pause
        if full:
            self._next_pause = FIRST_PAUSE
        return None


Partition = tuple[str, int]
Place = tuple[str, int, int]
"""Topic, partition, offset."""


class PoisonWatches:
    """One watch for each partition of a consumer."""

    def __init__(self) -> None:
        self._watches: dict[Partition, PoisonWatch] = {}

    def note_batch(self, places: Iterable[Place], poison: Collection[Place]) -> Iterator[tuple[Partition, timedelta]]:
        """Which partitions are to be paused after a batch, and for how long. One batch is one burst: the rest of a partition that is to be
        paused does not pause it again and for longer."""
        resting: set[Partition] = set()
        for place in places:
            partition = place[:2]
            if partition in resting:
                continue
            pause = self._watches.setdefault(partition, PoisonWatch()).note(poison=place in poison)
            if pause is not None:
                resting.add(partition)
                yield partition, pause
