"""The counts of all workers of one process, on a clock that a test turns."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable

from evergreen.core.errors import Unavailable
from evergreen.ports.limits import SLOTS, Granted, Wanted


class MemoryLimits:
    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._counts: dict[str, dict[int, int]] = defaultdict(dict)
        self.away = False
        self.asked = 0

    async def take(self, key: str, wanted: Wanted) -> Granted:
        if self.away:
            raise Unavailable("Redis does not answer")
        self.asked += 1
        exactly = self._seconds()
        now = int(exactly)
        counts = self._counts[key] = {slot: count for slot, count in self._counts[key].items() if slot > now - SLOTS}
        if wanted.back and wanted.back_slot in counts:
            counts[wanted.back_slot] = max(0, counts[wanted.back_slot] - wanted.back)
        room = wanted.limit - sum(counts.values()) - wanted.spent
        before = sorted(counts.items())
        amount = max(wanted.need, min(wanted.want, wanted.need + (room - wanted.need) // wanted.share)) if wanted.need <= room else 0
        if amount + wanted.spent:
            counts[now] = counts.get(now, 0) + amount + wanted.spent
        wait, freed, missing = float(SLOTS), 0, 1 if amount else wanted.need - room
        for slot, count in before:
            freed += count
            if count and freed >= missing:
                wait = slot + SLOTS - exactly
                break
        return Granted(amount, now, room - amount, max(wait, 0.0))
