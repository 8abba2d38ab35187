"""An action on its way through the guards, what a guard looks at, and what it can answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from evergreen.contracts.actions import ActionKind
from evergreen.core.decision import Absorption, GuardResult, Outcome
from evergreen.core.rules import Policy
from evergreen.core.severity import Severity
from evergreen.core.state import State

RESPONSES = frozenset({ActionKind.RETRAIN, ActionKind.ROLLBACK, ActionKind.SCALE_UP, ActionKind.SCALE_DOWN, ActionKind.ALERT, ActionKind.MONITOR})
"""What may go stale, cool down and be bounded. The other kinds are the loop's steps: after an outage they are done, in order."""
CORRECTIVE = RESPONSES - {ActionKind.ALERT, ActionKind.MONITOR}
"""Responses that change something: what storms and daily limits count, and what a pause stops."""


@dataclass(frozen=True)
class Proposal:
    """An action as the rule asks for it, on its way through the guards."""

    kind: ActionKind
    target: str
    reason: str
    severity: Severity
    priority: Literal["normal", "high"]
    due_at: datetime
    as_of: datetime
    params: Mapping[str, Any]
    scheduled: bool = False
    """For the next maintenance window, not for now."""
    unattended: bool = False
    """So critical that it does not wait for people: a critical rollback, and the retrain that replaces it for want of a target."""
    cooldown: timedelta | None = None
    """Instead of the policy's for its kind."""
    releases: UUID | None = None
    """The action that waited and has come due, when this is about it."""
    concerns: str | None = None
    """The version the event is about."""


@dataclass(frozen=True)
class Circumstances:
    event_type: str
    event_time: datetime
    now: datetime
    state: State
    policy: Policy


@dataclass(frozen=True)
class Stop:
    """The action is not made. `stand_ins` are proposed in its place, and pass the guards of their own kind."""

    result: GuardResult
    outcome: Outcome = Outcome.SUPPRESSED
    allowed_at: datetime | None = None
    absorption: Absorption | None = None
    stand_ins: tuple[ActionKind, ...] = ()


@dataclass(frozen=True)
class Defer:
    """The action is made for a later time, when it is decided again; `stand_ins` as in `Stop`."""

    result: GuardResult
    until: datetime
    stand_ins: tuple[ActionKind, ...] = (ActionKind.ALERT,)


Verdict = GuardResult | Stop | Defer
Guard = Callable[[Proposal, Circumstances], Verdict]


def passed(guard: str, detail: str = "") -> GuardResult:
    return GuardResult(guard, passed=True, detail=detail)


def failed(guard: str, detail: str) -> GuardResult:
    return GuardResult(guard, passed=False, detail=detail)
