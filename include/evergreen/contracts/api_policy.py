"""Bodies of `/policy`: the matrix in force, and what other numbers would have done. Lengths in seconds."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, Field, StrictInt

from evergreen.contracts.actions import ActionKind, SeverityWord
from evergreen.contracts.api import JSON_WHOLE, Body
from evergreen.contracts.api_records import Word

MAX_DAYS = 90
LONGEST_COOLDOWN = 24 * 3600
Scalar = str | bool | int | None


class ThresholdSaid(Body):
    """Evidence above the bound raises the event to the severity."""

    event_type: Word
    severity: SeverityWord
    field: Word
    above: Annotated[float, Field(strict=True, ge=-1e9, le=1e9)]


class CellSaid(Body):
    condition: dict[str, Scalar] = Field(description="Payload fields and the value each must have; empty: always; the first cell that holds is taken")
    action: str
    beside: list[str]
    when: str = Field(description="now, maintenance_window")
    priority: str
    reason: str | None
    note: str | None


class RuleSaid(Body):
    event_type: str
    by_severity: dict[SeverityWord, list[CellSaid]]
    alike: bool = Field(description="The same for every severity")
    always: list[str] = Field(description="Beside whatever the cell says")
    honours: dict[str, dict[str, list[CellSaid]]] = Field(description="Payload field, its value, the cells taken where they are stronger")


class PolicySaid(Body):
    hash: str = Field(description="Names it in every decision")
    timezone: str
    maintenance_window: list[str]
    working_hours: list[str] | None = Field(description="When somebody watches; null: always")
    working_days: list[str]
    stale_after: float
    min_new_rows: int
    storm_more_than: int
    storm_within: float
    daily_limits: dict[str, int]
    manual_approval: list[str] = Field(description="Models whose promotions and rollbacks ask a person")
    cooldowns: dict[str, float]
    default_cooldown: float
    failure_backoff: list[float] = Field(description="First, longest")
    thresholds: list[ThresholdSaid]
    rules: list[RuleSaid]


class BacktestRequest(Body):
    days: Annotated[StrictInt, Field(ge=1, le=MAX_DAYS), JSON_WHOLE] = Field(default=30, description="Up to now, in platform time")
    thresholds: Annotated[list[ThresholdSaid], Field(max_length=20)] = Field(default_factory=list)
    cooldowns: Annotated[dict[ActionKind, Annotated[StrictInt, Field(ge=0, le=LONGEST_COOLDOWN), JSON_WHOLE]], Field(max_length=20)] = Field(
        default_factory=dict
    )


class ActionCount(Body):
    recorded: int
    running: int
    moved: int


class Pair(Body):
    """The policy in force, and the one with the moved numbers."""

    running: float | None
    moved: float | None


class IncidentSaid(Body):
    event: str
    source: str
    type: str
    model: str
    severity: str
    at: AwareDatetime


class Differing(IncidentSaid):
    running: list[str] = Field(description="Action, outcome, when and in which turn")
    moved: list[str]


class BacktestAnswer(Body):
    """Both policies decide the recorded events in the same model of the work, so that what differs is the moved numbers' doing alone."""

    since: AwareDatetime
    until: AwareDatetime
    running_hash: str
    moved_hash: str
    decisions: int
    actions: dict[str, ActionCount]
    stopped: dict[str, Pair] = Field(description="Guard, responses it stopped or put off")
    minutes_to_react: Pair
    training_seconds: Pair
    differing: int
    missed: list[IncidentSaid] = Field(description="High or critical ones that were corrected and would not have been within a day; 100 at most")
    gained: int = Field(description="Those that were left alone and would have been corrected")
    examples: list[Differing] = Field(description="The first decisions that differ")
