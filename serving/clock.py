"""Platform time without waiting: the champion listener brings the clock's row along, at once when it moves and every second anyway."""

from __future__ import annotations

from datetime import datetime

from evergreen.core.clock import ClockReading, wall_now


class PlatformTime:
    """Before the first look at Postgres, and if it never answers, wall time."""

    def __init__(self) -> None:
        self._reading: ClockReading | None = None

    def follow(self, reading: ClockReading | None) -> None:
        self._reading = reading or self._reading

    def now(self) -> datetime:
        wall = wall_now()
        return wall if self._reading is None else self._reading.at(wall)
