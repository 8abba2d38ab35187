"""The policy's numbers: durations, hours, limits, approvals. The matrix is in `rules`."""

from __future__ import annotations

import re
from datetime import date, time, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LONGEST = timedelta(days=365)
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _duration(value: object) -> object:
    found = re.fullmatch(r"(\d{1,6})\s*([smhd])", str(value).strip())
    if found is None:
        raise ValueError(f"{value!r} is no duration; write for example 30s, 60m, 24h or 7d")
    length = timedelta(**{_UNITS[found[2]]: int(found[1])})
    if length > _LONGEST:
        raise ValueError(f"{value!r} is longer than {_LONGEST.days} days")
    return length


def _clock_time(value: object) -> object:
    found = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", str(value))
    if found is None:
        raise ValueError(f'{value!r} is no time of day; write it quoted, for example "03:00"')
    return time(int(found[1]), int(found[2]))


Duration = Annotated[timedelta, BeforeValidator(_duration), PlainSerializer(lambda value: f"{int(value.total_seconds())}s")]
ClockTime = Annotated[time, BeforeValidator(_clock_time), PlainSerializer(lambda value: value.strftime("%H:%M"))]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)


class Hours(Part):
    """`[start, end)`, over midnight when the end is not after the start: equal ends are the whole day."""

    start: ClockTime
    end: ClockTime


class WorkingHours(Hours):
    """When somebody watches; outside, `retrain` and `rollback` wait."""

    days: Annotated[tuple[Weekday, ...], Field(min_length=1)] = WEEKDAYS
    holidays: Annotated[tuple[date, ...], Field(max_length=50)] = ()
    """Fewer than a year has of any weekday: the next opening is never further away than that."""
    critical_waits: bool = False
    """True: a critical rollback, and the retrain that replaces it, wait too."""


class Timer(Part):
    at: ClockTime
    """Time of day in the policy's zone."""


class StormBreaker(Part):
    """More corrective responses than this of one event type and model (or service) within this time, and the next becomes `monitor`."""

    more_than: int = Field(default=3, ge=1)
    within: Duration = timedelta(hours=1)


class Backoff(Part):
    """How long an action that failed for good is not asked for again: `first`, doubled with each failure in a row."""

    first: Duration = timedelta(minutes=5)
    longest: Duration = timedelta(hours=6)

    def after(self, times: int) -> timedelta:
        return min(self.first * int(2 ** min(times - 1, 20)), self.longest)


class Approval(Part):
    """Who lets a model's promotions and rollbacks through."""

    mode: Literal["auto", "manual"]
    timeout: Duration = timedelta(hours=4)
    default: Literal["approve", "reject"] = "reject"
    """What silence means."""

    @model_validator(mode="before")
    @classmethod
    def _a_word_will_do(cls, value: object) -> object:
        return {"mode": value} if isinstance(value, str) else value
