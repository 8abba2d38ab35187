"""`GET /overview`: the loop at a glance. Times are platform time unless they say *wall*."""

from __future__ import annotations

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from evergreen.contracts.api import Body
from evergreen.contracts.api_records import ActionSummary, AnswerSaid


class ClockSaid(Body):
    now: AwareDatetime
    mode: Literal["wall", "replay"]
    rate: float = Field(description="Platform seconds in a second of wall time")


class EventSeen(Body):
    id: str
    type: str
    subject: str
    time: AwareDatetime
    received_at: AwareDatetime = Field(description="Wall time")
    severity: str | None = Field(description="As decided; null: nothing was decided on it yet")
    outcome: str | None
    rule: str | None


class EventFlow(Body):
    per_minute: list[int] = Field(description="Control events recorded per minute of wall time, the running one first")
    newest: list[EventSeen] = Field(description="Newest first, without the loop's own bookkeeping (timers, requested and completed actions, alerts)")


class LastDecision(Body):
    """The newest that did something, or was kept from it."""

    model: str
    seq: int
    event_id: str
    event_type: str
    decided_at: AwareDatetime
    recorded_at: AwareDatetime = Field(description="Wall time")
    severity: str
    severity_path: list[str] = Field(description="How the severity came about, step by step")
    rule: str
    outcome: str
    answers: list[AnswerSaid]


class OpenAction(ActionSummary):
    asking: bool = Field(description="It waits for a person's word")


class OpenActions(Body):
    pending: int
    running: int
    asking: int
    first: list[OpenAction] = Field(description="Running ones, then those due next")


class LastDrift(Body):
    report_id: UUID
    version: str = Field(description="Which version's training rows the window was compared with")
    score: float = Field(ge=0, le=1)
    drifted: bool
    first_day: date
    last_day: date
    time: AwareDatetime


class ModelNow(Body):
    model: str
    version: str | None = Field(description="The champion; null: none yet")
    since: AwareDatetime | None
    stable: bool | None
    workers: int = Field(description="Live serving workers that answer with it")
    drift: LastDrift | None
    trend: list[float] = Field(description="Drift scores of the last windows, oldest first")


class PromiseKept(Body):
    """Of the last day of platform time; event handling: of the newest thousand events."""

    name: Literal["event_handling", "action_success", "availability"]
    goal: float = Field(description="Seconds (event handling, p99 from production to decision), else a share")
    value: float | None = Field(description="null: there was nothing to measure")
    state: Literal["kept", "broken", "unmeasured"]
    n: int = Field(description="Events, finished actions, requests (probes where nobody asked)")
    budget_left: float | None = Field(description="Share of the failures that the goal allows and that is left; below 0: overspent")


class Firing(Body):
    name: str = Field(examples=["health:redis", "rule:high_error_rate"])
    severity: str
    said_at: AwareDatetime = Field(description="Wall time")


class Overview(Body):
    """A part that cannot be read is null and named in `missing`."""

    clock: ClockSaid | None
    events: EventFlow | None
    decision: LastDecision | None = Field(description="null, too, where nothing was decided yet")
    actions: OpenActions | None
    models: list[ModelNow] | None
    firing: list[Firing] | None = Field(description="What the monitor found and has not seen end")
    promises: list[PromiseKept] | None
    missing: list[str]
