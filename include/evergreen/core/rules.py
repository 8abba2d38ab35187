"""The policy as data: what policies/*.yaml may say. Checked before it takes effect; its content hash names it in every decision."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import time, timedelta
from difflib import get_close_matches
from functools import cached_property
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, field_validator, model_validator
from pydantic_core import PydanticCustomError

from evergreen.contracts.actions import ActionKind, SeverityWord
from evergreen.contracts.envelope import canonical_json
from evergreen.contracts.topics import PAYLOADS
from evergreen.core.schedule import DailyHours
from evergreen.core.severity import Severity

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _duration(value: object) -> object:
    found = re.fullmatch(r"(\d+)\s*([smhd])", str(value).strip())
    if found is None:
        raise ValueError(f"{value!r} is no duration; write for example 30s, 60m, 24h or 7d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _clock_time(value: object) -> object:
    found = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", str(value))
    if found is None:
        raise ValueError(f'{value!r} is no time of day; write it quoted, for example "03:00"')
    return time(int(found[1]), int(found[2]))


Duration = Annotated[timedelta, BeforeValidator(_duration), PlainSerializer(lambda value: f"{int(value.total_seconds())}s")]
ClockTime = Annotated[time, BeforeValidator(_clock_time), PlainSerializer(lambda value: value.strftime("%H:%M"))]
# A condition is an equality one can read.
Scalar = str | bool | int | None


WORDS: tuple[SeverityWord, ...] = ("low", "medium", "high", "critical")


def _event_type(value: str) -> str:
    if value not in PAYLOADS:
        near = get_close_matches(value, PAYLOADS, n=1, cutoff=0.5)
        raise ValueError(f"no event type {value!r}{f'; is {near[0]} meant?' if near else ''}")
    return value


EventType = Annotated[str, AfterValidator(_event_type)]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)


class Evidence(Part):
    """Raises the severity when the payload's number (of a list: its length) is above the bound. Strictly: the bound itself does not."""

    field: str
    above: float


class Cell(Part):
    """What to do. In a list of cells the first whose condition holds is taken."""

    condition: dict[str, Scalar] = Field(default={}, alias="if")
    """Payload fields (or the event's `source`) and the value each must have; null = absent, "*" = any value but null."""
    action: ActionKind
    beside: tuple[ActionKind, ...] = Field(default=(), alias="and")
    when: Literal["now", "maintenance_window"] = "now"
    priority: Literal["normal", "high"] = "normal"
    reason: str | None = None
    note: str | None = None


def _one_or_many(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


Cells = Annotated[tuple[Cell, ...], BeforeValidator(_one_or_many), Field(min_length=1)]


class Rule(Part):
    """One row of the matrix: either `any`, or a cell for each severity."""

    any: Cells | None = None
    low: Cells | None = None
    medium: Cells | None = None
    high: Cells | None = None
    critical: Cells | None = None
    always: tuple[ActionKind, ...] = ()
    """Beside whatever the cell says."""
    honours: dict[str, dict[str, Cells]] = {}
    """Payload field -> its value -> cells taken instead when they are stronger than the severity's own."""

    @model_validator(mode="after")
    def _no_gap(self) -> Rule:
        given = [word for word in WORDS if getattr(self, word) is not None]
        if self.any is not None and given:
            raise ValueError(f"`any` covers every severity, so {', '.join(given)} can never be reached")
        if self.any is None and len(given) < 4:
            missing = [word for word in WORDS if word not in given]
            raise ValueError(f"no cell for severity {', '.join(missing)}; write `any` or all four")
        for cells in self.all_cells():
            if any(not cell.condition for cell in cells[:-1]):
                raise ValueError("a cell without `if` ends the list: the ones behind it can never be reached")
            if cells[-1].condition:
                raise ValueError("the last cell of a list must have no `if`, else some events have no answer")
        return self

    def cells(self, severity: Severity) -> tuple[Cell, ...]:
        found: tuple[Cell, ...] | None = self.any or getattr(self, severity.word)
        if not found:
            raise LookupError(severity.word)
        return found

    def all_cells(self) -> list[tuple[Cell, ...]]:
        given = [getattr(self, word) for word in ("any", *WORDS)]
        return [cells for cells in given if cells] + [cells for values in self.honours.values() for cells in values.values()]

    def placed_cells(self) -> Iterator[tuple[tuple[str | int, ...], Cell]]:
        """Each cell with its path in the rule."""
        for word in ("any", *WORDS):
            for position, cell in enumerate(getattr(self, word) or ()):
                yield (word, position), cell
        for field, values in self.honours.items():
            for value, cells in values.items():
                for position, cell in enumerate(cells):
                    yield ("honours", field, value, position), cell


class Hours(Part):
    start: ClockTime
    end: ClockTime


class Timer(Part):
    at: ClockTime
    """Time of day in the policy's zone."""


class Policy(Part):
    version: Literal[1]
    timezone: str
    maintenance_window: Hours
    """Where scheduled retrains go; daily maintenance is due at its start."""
    performance_check: Timer
    """Daily, for each model with a champion."""
    stale_after: Duration
    min_new_rows: int = Field(ge=0)
    """A retrain after a refused candidate, or while one runs, waits for this many."""
    cooldowns: dict[ActionKind, Duration]
    default_cooldown: Duration
    evidence: dict[EventType, dict[Literal["medium", "high", "critical"], tuple[Evidence, ...]]]
    """Event type -> severity -> numbers any of which raises to it."""
    rules: dict[EventType, Rule]

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"no time zone {value!r}; write for example Asia/Seoul") from error
        return value

    @model_validator(mode="after")
    def _known_fields(self) -> Policy:
        for event_type, levels in self.evidence.items():
            for level, evidence in levels.items():
                for position, one in enumerate(evidence):
                    _refuse_unknown(event_type, one.field, ("evidence", event_type, level, position, "field"))
        for event_type, rule in self.rules.items():
            for path, cell in rule.placed_cells():
                for field in cell.condition.keys() - {"source"}:
                    _refuse_unknown(event_type, field, ("rules", event_type, *path, "if", field))
            for field in rule.honours:
                _refuse_unknown(event_type, field, ("rules", event_type, "honours", field))
        return self

    @cached_property
    def hash(self) -> str:
        return hashlib.sha256(canonical_json(self.body())).hexdigest()

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @cached_property
    def window(self) -> DailyHours:
        return DailyHours(self.maintenance_window.start, self.maintenance_window.end, self.zone)

    def body(self) -> Mapping[str, Any]:
        """As JSON values; `Policy.model_validate` reads it back to the same hash."""
        return self.model_dump(mode="json", exclude_defaults=True)

    def cooldown(self, kind: ActionKind) -> timedelta:
        return self.cooldowns.get(kind, self.default_cooldown)

    def rule(self, event_type: str) -> Rule:
        return self.rules.get(event_type, NO_ROW)


NO_ROW = Rule(any=(Cell(action=ActionKind.ALERT, note="no_rule"),))
"""A type the policy says nothing about is somebody's to look at."""


def _refuse_unknown(event_type: str, field: str, path: tuple[str | int, ...]) -> None:
    fields = PAYLOADS[event_type].model_fields
    if field not in fields:
        message = f"{event_type} has no field {field!r}; it has: {', '.join(fields)}"
        raise PydanticCustomError("unknown_field", "{message}", {"message": message, "path": path})
