"""Wall-clock hours in the policy's time zone: maintenance windows and daily times. `[start, end)`, over midnight when end <= start.

Local times are resolved through UTC, so a day with a change of daylight saving has each of its windows once: a start that the change
skips counts as the instant right after it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class DailyHours:
    start: time
    end: time
    zone: ZoneInfo

    def contains(self, at: datetime) -> bool:
        local = at.astimezone(self.zone).date()
        return any(start <= at < end for start, end in (self._of(local - timedelta(days=back)) for back in (0, 1)))

    def last_start(self, at: datetime) -> datetime:
        """The newest start that is not after `at`."""
        return last_daily(self.start, self.zone, at)

    def next_start(self, at: datetime) -> datetime:
        """`at` itself inside the hours, else the next start."""
        return at if self.contains(at) else next_daily(self.start, self.zone, at)

    def _of(self, day: date) -> tuple[datetime, datetime]:
        """The hours that start on a local day. Where a change of clocks skips all of them they are empty, never a day long."""
        over_midnight = self.end <= self.start
        return _instant(day, self.start, self.zone), _instant(day + timedelta(days=over_midnight), self.end, self.zone)


@dataclass(frozen=True)
class WorkingCalendar:
    """Hours on some days of the week, holidays excepted. Hours over midnight belong to the day they start on."""

    hours: DailyHours
    days: frozenset[int]
    """Monday is 0."""
    holidays: frozenset[date] = frozenset()

    def contains(self, at: datetime) -> bool:
        return self.hours.contains(at) and self._works(self.hours.last_start(at))

    def next_opening(self, at: datetime) -> datetime:
        """The first opening after `at`. Raises LookupError when there is none within a year."""
        opening = at
        for _ in range(366):
            opening = next_daily(self.hours.start, self.hours.zone, opening)
            if self._works(opening):
                return opening
        raise LookupError(f"no working day within a year of {at.isoformat()}")

    def _works(self, start: datetime) -> bool:
        day = start.astimezone(self.hours.zone).date()
        return day.weekday() in self.days and day not in self.holidays


def last_daily(clock_time: time, zone: ZoneInfo, at: datetime) -> datetime:
    """The newest instant not after `at` at which the zone's clocks showed `clock_time`."""
    day = at.astimezone(zone).date()
    return max(found for back in (0, 1) if (found := _instant(day - timedelta(days=back), clock_time, zone)) <= at)


def next_daily(clock_time: time, zone: ZoneInfo, at: datetime) -> datetime:
    """The first instant after `at` at which the zone's clocks show `clock_time`."""
    day = at.astimezone(zone).date()
    return min(found for ahead in (0, 1, 2) if (found := _instant(day + timedelta(days=ahead), clock_time, zone)) > at)


def _instant(day: date, clock_time: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, clock_time, tzinfo=zone).astimezone(UTC)
