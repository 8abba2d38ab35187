"""What the loop promises its operators, judged by what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["kept", "broken", "unmeasured"]
HANDLING_SECONDS = 1.0
"""From an event's production to its recorded decision, for 99 of 100."""
ACTION_SUCCESS = 0.95
"""Of the finished actions."""
AVAILABILITY = 0.999


@dataclass(frozen=True)
class Handling:
    """Of the newest events."""

    n: int
    p99_seconds: float | None
    within: int
    """Of them, handled in time."""


@dataclass(frozen=True)
class Outcomes:
    """Of the actions accepted in a day."""

    succeeded: int
    failed: int


@dataclass(frozen=True)
class Answered:
    """What the monitor saw of serving in a day."""

    probes: int
    up: int
    requests: float
    errors: float
    """Answered with 5xx."""


@dataclass(frozen=True)
class Promise:
    name: str
    goal: float
    value: float | None
    """Seconds (`event_handling`), else a share."""
    state: State
    n: int
    """Events, actions, or requests and, where there were none, probes."""
    budget_left: float | None = None
    """Share of the failures the goal allows that is still to spend; below 0: overspent."""


def handling(found: Handling) -> Promise:
    state: State = "unmeasured" if found.p99_seconds is None else "kept" if found.p99_seconds <= HANDLING_SECONDS else "broken"
    return Promise("event_handling", HANDLING_SECONDS, found.p99_seconds, state, found.n)


def success(found: Outcomes) -> Promise:
    finished = found.succeeded + found.failed
    return _share("action_success", ACTION_SUCCESS, found.succeeded / finished if finished else None, finished)


def availability(found: Answered) -> Promise:
    """The worse of two shares counts: probes that found it up, and requests it did not fail. Requests nobody answered are in no counter, and a
    worker that fails every request may pass its probes."""
    shares = [found.up / found.probes] if found.probes else []
    if found.requests:
        shares.append(1 - found.errors / found.requests)
    return _share("availability", AVAILABILITY, min(shares, default=None), int(found.requests) or found.probes)


def _share(name: str, goal: float, value: float | None, n: int) -> Promise:
    if value is None:
        return Promise(name, goal, None, "unmeasured", 0)
    return Promise(name, goal, value, "kept" if value >= goal else "broken", n, 1 - (1 - value) / (1 - goal))
