"""When a day's list becomes known: the list of day D is released at D+1 09:00 in the policy's zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

RELEASE_HOUR = time(9, 0)
DEFAULT_ZONE = "Asia/Seoul"


def released_at(day: date, zone: str = DEFAULT_ZONE) -> datetime:
    """The instant (UTC) from which the list of `day` may be looked at."""
    return datetime.combine(day + timedelta(days=1), RELEASE_HOUR, ZoneInfo(zone)).astimezone(UTC)


def last_released_day(as_of: datetime, zone: str = DEFAULT_ZONE) -> date:
    """The newest list day known at `as_of` (aware)."""
    local = as_of.astimezone(ZoneInfo(zone))
    return local.date() - timedelta(days=1 if local.time() >= RELEASE_HOUR else 2)


def week_batches(first: date, last: date, anchor: date, days: int = 7) -> list[tuple[date, date]]:
    """[first, last] cut into windows of `days` list days such that one of them starts on `anchor`: counted back from the day before
    it and on from it. The outer windows may be shorter. Both ends inclusive, in order."""
    offset = (first - anchor).days // days
    start = anchor + timedelta(days=offset * days)
    batches = []
    while start <= last:
        end = start + timedelta(days=days - 1)
        batches.append((max(start, first), min(end, last)))
        start = end + timedelta(days=1)
    return batches
