"""Guards: an ordered list every proposed action passes; each result is recorded with the decision.

Responses (retrain, rollback, scale, alert, monitor) may go stale, cool down and be bounded. The loop's steps (ingest, checks, evaluate,
promote, maintenance) are only coalesced: after an outage they are done, in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from evergreen.contracts.actions import ActionKind
from evergreen.core.decision import Absorption, GuardResult
from evergreen.core.rules import Policy
from evergreen.core.severity import Severity
from evergreen.core.state import Accepted, OpenAction, State

RESPONSES = frozenset({ActionKind.RETRAIN, ActionKind.ROLLBACK, ActionKind.SCALE_UP, ActionKind.SCALE_DOWN, ActionKind.ALERT, ActionKind.MONITOR})
NEVER_ABSORBED = frozenset({ActionKind.INGEST, ActionKind.ALERT, ActionKind.MONITOR})
"""Each batch is a piece of work of its own; the other two are done the moment they are decided."""


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


@dataclass(frozen=True)
class Circumstances:
    event_type: str
    event_time: datetime
    now: datetime
    state: State
    policy: Policy


@dataclass(frozen=True)
class Stop:
    """`replaced_by_check`: the stale response becomes an alert and a fresh check."""

    result: GuardResult
    allowed_at: datetime | None = None
    absorption: Absorption | None = None
    stale: bool = False


Verdict = GuardResult | Stop
Guard = Callable[[Proposal, Circumstances], Verdict]


def stale(proposal: Proposal, about: Circumstances) -> Verdict:
    age = about.now - about.event_time
    # Something must still be said about an event nobody acts on.
    if proposal.kind is ActionKind.ALERT or age <= about.policy.stale_after:
        return GuardResult("stale", passed=True)
    return Stop(GuardResult("stale", passed=False, detail=f"the event is {_hours(age.total_seconds())} old"), stale=True)


def cooldown(proposal: Proposal, about: Circumstances) -> Verdict:
    """Per event type, action and target. It starts when an action is accepted (a scheduled one: when it becomes due). What a lower
    severity did never holds back a higher one's stronger action or its alert."""
    length = about.policy.cooldown(proposal.kind)
    running = [
        one
        for one in about.state.newest(about.event_type, proposal.kind, proposal.target)
        if one.at <= about.now < one.at + length and not _outranks(proposal, one, about)
    ]
    if not running:
        return GuardResult("cooldown", passed=True)
    last = max(running, key=lambda one: one.at)
    detail = f"{proposal.kind} of severity {last.severity.word} at {last.at.isoformat()}, again after {int(length.total_seconds())} s"
    return Stop(GuardResult("cooldown", passed=False, detail=detail), allowed_at=last.at + length)


def _outranks(proposal: Proposal, earlier: Accepted, about: Circumstances) -> bool:
    if proposal.severity <= earlier.severity:
        return False
    if proposal.kind is ActionKind.ALERT:
        return True
    before = about.policy.rule(about.event_type).cells(earlier.severity)
    return not proposal.scheduled and any(cell.action is proposal.kind and cell.when == "maintenance_window" for cell in before)


def blast_radius(proposal: Proposal, about: Circumstances) -> Verdict:
    """After a refused candidate the same rows would only make the same candidate again."""
    state, needed = about.state, about.policy.min_new_rows
    if proposal.kind is not ActionKind.RETRAIN or state.refused_at is None or state.rows_since_refused >= needed:
        return GuardResult("blast_radius", passed=True)
    detail = f"too_few_new_rows: {state.rows_since_refused} of {needed} since the candidate was refused at {state.refused_at.isoformat()}"
    return Stop(GuardResult("blast_radius", passed=False, detail=detail))


def coalescing(proposal: Proposal, about: Circumstances) -> Verdict:
    if proposal.kind in NEVER_ABSORBED:
        return GuardResult("coalescing", passed=True)
    for one in about.state.opened(proposal.kind, proposal.target):
        if one.status == "pending" and _mergeable(proposal, one):
            return Stop(GuardResult("coalescing", passed=False, detail=f"absorbed by {one.id}, which waits"), absorption=_merged(proposal, one, about.now))
    for one in about.state.opened(proposal.kind, proposal.target):
        if one.status == "running" and proposal.kind is ActionKind.RETRAIN and about.state.rows_since_retrain < about.policy.min_new_rows:
            detail = f"absorbed by {one.id}, which runs; {about.state.rows_since_retrain} new rows since its data ends"
            return Stop(GuardResult("coalescing", passed=False, detail=detail), absorption=_kept(one))
    return GuardResult("coalescing", passed=True)


def _mergeable(proposal: Proposal, waiting: OpenAction) -> bool:
    return proposal.params.get("dataset") == waiting.params.get("dataset")


def _merged(proposal: Proposal, waiting: OpenAction, now: datetime) -> Absorption:
    """The earlier time, the higher priority and severity, with its reason; as much data as the younger of the two may see."""
    raised = proposal.severity > waiting.severity
    return Absorption(
        into=waiting.id,
        status="pending",
        reason=proposal.reason if raised else waiting.reason,
        severity=max(proposal.severity, waiting.severity).word,
        priority="high" if "high" in (proposal.priority, waiting.priority) else "normal",
        due_at=min(proposal.due_at, waiting.due_at),
        as_of=max(proposal.as_of, waiting.as_of),
        params=_merged_params(proposal.params, waiting.params),
        runs_now=proposal.due_at <= now < waiting.due_at,
    )


def _merged_params(new: Mapping[str, Any], waiting: Mapping[str, Any]) -> Mapping[str, Any]:
    if "windows" not in waiting or "windows" not in new:
        return waiting
    windows = {(one["first_day"], one["last_day"]): one for one in [*waiting["windows"], *new["windows"]]}
    return {**waiting, "windows": [windows[days] for days in sorted(windows)]}


def _kept(running: OpenAction) -> Absorption:
    return Absorption(
        into=running.id,
        status="running",
        reason=running.reason,
        severity=running.severity.word,
        priority=running.priority,
        due_at=running.due_at,
        as_of=running.as_of,
        params=running.params,
        runs_now=False,
    )


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h"


OF_RESPONSES: tuple[Guard, ...] = (stale, cooldown, blast_radius, coalescing)
OF_STEPS: tuple[Guard, ...] = (coalescing,)


def guards_for(kind: ActionKind) -> tuple[Guard, ...]:
    return OF_RESPONSES if kind in RESPONSES else OF_STEPS
