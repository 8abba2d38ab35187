"""Which days' batches should be there and are not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from evergreen.core.release import DEFAULT_ZONE, last_released_day, released_at

LOOK_BACK = timedelta(days=14)
"""A day missing for longer has been said and is not looked for any more."""


def missing_days(covered: Sequence[tuple[date, date]], *, since: datetime, now: datetime, grace: timedelta, zone: str = DEFAULT_ZONE) -> list[date]:
    """Days released after `since` whose grace is over at `now` and that no batch covers (inclusive ranges), oldest first."""
    day = max(last_released_day(since, zone), last_released_day(now - LOOK_BACK, zone)) + timedelta(days=1)
    found = []
    while released_at(day, zone) + grace <= now:
        if not any(first <= day <= last for first, last in covered):
            found.append(day)
        day += timedelta(days=1)
    return found
