"""Time, injected. Platform time drives policy and windows; wall time drives leases, time-outs and latencies.
This module and the adapter of the platform clock are the only ones that read the machine's clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The current instant, aware, UTC."""


def wall_now() -> datetime:
    return datetime.now(UTC)


class WallClock:
    def now(self) -> datetime:
        return wall_now()


@dataclass
class FixedClock:
    """A clock that only moves when told to: for tests and for commands run `--as-of`."""

    at: datetime

    def now(self) -> datetime:
        return self.at

    def advance(self, by: timedelta) -> None:
        self.at += by


@dataclass(frozen=True)
class ClockReading:
    """The clock row: in replay mode platform time = base + rate x wall time elapsed since `set_at`."""

    mode: Literal["wall", "replay"]
    base: datetime
    set_at: datetime
    rate: float
    epoch: int

    def at(self, wall: datetime) -> datetime:
        if self.mode == "wall":
            return wall
        return self.base + self.rate * (wall - self.set_at)
