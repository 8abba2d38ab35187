"""The policy as data: what policies/*.yaml may say. Checked before it takes effect; its content hash names it in every decision."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from difflib import get_close_matches
from functools import cached_property
from typing import Annotated, Any, Literal, get_origin
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from evergreen.contracts.actions import ActionKind, SeverityWord
from evergreen.contracts.envelope import canonical_json
from evergreen.contracts.topics import PAYLOADS
from evergreen.core.policy_parts import WEEKDAYS, Approval, Backoff, Duration, Hours, Part, StormBreaker, Timer, WorkingHours
from evergreen.core.schedule import DailyHours, WorkingCalendar
from evergreen.core.severity import Severity

# A condition is an equality one can read.
Scalar = str | bool | int | None
COMPUTED = frozenset({"source", "in_bake"})
"""What a condition may ask beside the payload's fields: who said it; whether the version it names serves and is not stable yet."""

LONGEST = timedelta(days=1)
"""Of cooldowns, storms and back-offs: how far back guards look."""
WORDS: tuple[SeverityWord, ...] = ("low", "medium", "high", "critical")


def _event_type(value: str) -> str:
    if value not in PAYLOADS:
        near = get_close_matches(value, PAYLOADS, n=1, cutoff=0.5)
        raise ValueError(f"no event type {value!r}{f'; is {near[0]} meant?' if near else ''}")
    return value


EventType = Annotated[str, AfterValidator(_event_type)]


class Evidence(Part):
    """Raises the severity when the payload's number (of a list: its length) is above the bound. Strictly: the bound itself does not."""

    field: str
    above: Annotated[float, Field(allow_inf_nan=False), AfterValidator(lambda value: value + 0.0)]
    """(A stored -0.0 comes back as 0.0: it is none here either.)"""


class Cell(Part):
    """What to do. In a list of cells the first whose condition holds is taken."""

    condition: dict[str, Scalar] = Field(default={}, alias="if")
    """Payload fields (or what is `COMPUTED`) and the value each must have; null = absent, "*" = any value but null."""
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
    honours: dict[str, dict[str, Cells]] = Field(default={})
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
    working_hours: WorkingHours | None = None
    """None: somebody always watches."""
    storm_breaker: StormBreaker = StormBreaker()
    daily_limits: dict[Literal[ActionKind.RETRAIN, ActionKind.ROLLBACK], Annotated[int, Field(ge=0)]] = Field(default={})
    """Of a model, within 24 hours; what a person asks for does not count."""
    approvals: dict[str, Approval] = Field(default={})
    """Model -> who lets its promotions and rollbacks through; without an entry nobody is asked."""
    cooldowns: dict[ActionKind, Duration]
    default_cooldown: Duration
    failure_backoff: Backoff = Backoff()
    evidence: dict[EventType, dict[Literal["medium", "high", "critical"], tuple[Evidence, ...]]]
    """Event type -> severity -> numbers any of which raises to it."""
    rules: dict[EventType, Rule]

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"no time zone {value!r}; write for example Asia/Seoul")
        return value

    @model_validator(mode="after")
    def _within_a_day(self) -> Policy:
        """Guards look back over one day of rows."""
        lengths = {**{f"cooldowns.{kind.value}": length for kind, length in self.cooldowns.items()}, "default_cooldown": self.default_cooldown}
        lengths |= {"storm_breaker.within": self.storm_breaker.within, "failure_backoff.longest": self.failure_backoff.longest}
        for place, length in lengths.items():
            if length > LONGEST:
                path = tuple(place.split("."))
                raise PydanticCustomError("too_long", "{message}", {"message": "longer than a day, which is as far as guards look back", "path": path})
        return self

    @model_validator(mode="after")
    def _known_fields(self) -> Policy:
        for event_type, levels in self.evidence.items():
            for level, evidence in levels.items():
                for position, one in enumerate(evidence):
                    place = ("evidence", event_type, level, position, "field")
                    _refuse_unknown(event_type, one.field, place)
                    _refuse_uncountable(event_type, one.field, place)
        for event_type, rule in self.rules.items():
            for path, cell in rule.placed_cells():
                for field in cell.condition.keys() - COMPUTED:
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

    @cached_property
    def calendar(self) -> WorkingCalendar | None:
        hours = self.working_hours
        if hours is None:
            return None
        days = frozenset(WEEKDAYS.index(day) for day in hours.days)
        return WorkingCalendar(DailyHours(hours.start, hours.end, self.zone), days, frozenset(hours.holidays))

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


def _refuse_uncountable(event_type: str, field: str, path: tuple[str | int, ...]) -> None:
    kind = PAYLOADS[event_type].model_fields[field].annotation
    if kind not in (int, float) and get_origin(kind) is not tuple:
        message = f"{event_type}.{field} is neither a number nor a list"
        raise PydanticCustomError("no_number", "{message}", {"message": message, "path": path})
