"""What is due by the platform's clock. After a jump a periodic timer is due once, not once per missed period."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from evergreen.contracts.actions import NO_MODEL
from evergreen.core.rules import Policy
from evergreen.core.schedule import last_daily

PERFORMANCE_CHECK = "performance_check"
MAINTENANCE = "maintenance"
MORE_DATA = "more_data"
SCHEDULED = "scheduled"


@dataclass(frozen=True)
class Due:
    timer: str
    model: str
    at: datetime
    fires: bool
    """False: seen for the first time, or the clock went back; its period starts now."""


def due_timers(policy: Policy, now: datetime, last: Mapping[tuple[str, str], datetime], with_champion: Iterable[str]) -> list[Due]:
    """Timers whose memory is to change: those that fire and those that start."""
    daily = [(MAINTENANCE, NO_MODEL, policy.maintenance_window.start)]
    daily += [(PERFORMANCE_CHECK, model, policy.performance_check.at) for model in sorted(with_champion)]
    found = []
    for timer, model, clock_time in daily:
        newest, before = last_daily(clock_time, policy.zone, now), last.get((timer, model))
        if before is None or before > now:
            found.append(Due(timer, model, newest, fires=False))
        elif newest > before:
            found.append(Due(timer, model, newest, fires=True))
    return found
