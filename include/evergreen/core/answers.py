"""From what the rule asks for to what becomes of it: a proposal, its way through the guards, and what stands in where one of them stopped it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from evergreen.contracts import events as e
from evergreen.contracts.actions import NO_MODEL, Action, ActionKind, Cause
from evergreen.contracts.envelope import Event, derived_id
from evergreen.core.concerns import aim_of
from evergreen.core.decision import Answer, GuardResult, Outcome, action_key, trace_of
from evergreen.core.guards import AT_RELEASE, guards_for, stale
from evergreen.core.proposal import Circumstances, Defer, Guard, Proposal, Stop
from evergreen.core.rules import Cell, Policy
from evergreen.core.severity import Severity
from evergreen.core.state import OpenAction, State

NO_BETTER_TARGET = "no_better_target"
"""The note of the cell that retrains where a rollback would not help."""
_OF_A_PERSON = frozenset({ActionKind.PROMOTE, ActionKind.ROLLBACK})


@dataclass(frozen=True)
class Asked:
    """One decision's inputs."""

    event: Event
    payload: e.Payload
    state: State
    now: datetime
    policy: Policy

    @property
    def about(self) -> Circumstances:
        return Circumstances(self.event.type, self.event.time, self.now, self.state, self.policy)


def answers_of(asked: Asked, rule: str, severity: Severity, cell: Cell, always: Sequence[ActionKind]) -> tuple[Answer, ...]:
    """The cell's action, those beside it, and what guards put in their place; each kind at most once."""
    answers: list[Answer] = []
    for kind in dict.fromkeys([cell.action, *cell.beside, *always]):
        if any(answer.kind is kind for answer in answers):
            continue
        if kind is ActionKind.IGNORE:
            answers.append(Answer(kind, aim_of(asked.payload, asked.state.model), cell.note or asked.event.type, Outcome.IGNORED))
            continue
        proposal = _proposal(asked, severity, kind, cell if kind is cell.action else Cell(action=kind, reason=cell.reason))
        answer, stand_ins = _guarded(asked, rule, proposal, guards_for(kind))
        answers += [answer, *_stand_ins(asked, rule, severity, answer, stand_ins, always)]
    return tuple(answers)


def released(asked: Asked, rule: str, waiting: OpenAction) -> tuple[Answer, ...]:
    """An action that was scheduled or deferred has come due: it is decided again on what is known now, and runs or is cancelled."""
    proposal = Proposal(
        kind=waiting.kind,
        target=waiting.target,
        reason=waiting.reason,
        severity=waiting.severity,
        priority=waiting.priority,
        due_at=waiting.due_at,
        as_of=waiting.as_of,
        params=waiting.params,
        releases=waiting.id,
    )
    about = replace(asked.about, event_type=waiting.event_type, event_time=waiting.as_of)
    answer, stand_ins = _guarded(asked, rule, proposal, AT_RELEASE, about)
    return (answer, *_stand_ins(asked, rule, waiting.severity, answer, stand_ins, ()))


def _stand_ins(asked: Asked, rule: str, severity: Severity, stopped: Answer, kinds: Sequence[ActionKind], always: Sequence[ActionKind]) -> list[Answer]:
    """They are bounded like any other of their kind, but are never stale."""
    found = []
    for kind in dict.fromkeys(kinds):
        guard = stopped.guards[-1].guard if stopped.outcome is not Outcome.DEFERRED else "deferred"
        proposal = _proposal(asked, severity, kind, Cell(action=kind, reason=f"{guard}_{stopped.kind.value}"))
        # A check looks at everything known now, not at what was known then.
        proposal = replace(proposal, as_of=asked.now)
        if guard == "storm" and kind is ActionKind.ALERT and kind not in always:
            proposal = replace(proposal, cooldown=asked.policy.storm_breaker.within)  # one digest for a storm
        found.append(_guarded(asked, rule, proposal, tuple(one for one in guards_for(kind) if one is not stale))[0])
    return found


def _proposal(asked: Asked, severity: Severity, kind: ActionKind, cell: Cell) -> Proposal:
    policy, now = asked.policy, asked.now
    scheduled = cell.when == "maintenance_window" and not policy.window.contains(now)
    replaces_rollback = kind is ActionKind.RETRAIN and cell.note == NO_BETTER_TARGET
    waits = policy.working_hours is not None and policy.working_hours.critical_waits
    return Proposal(
        kind=kind,
        target=target_of(kind, asked.payload, asked.state.model),
        reason=cell.reason or asked.event.type,
        severity=severity,
        priority=cell.priority,
        due_at=policy.window.next_start(now) if scheduled else now,
        as_of=min(asked.event.time.astimezone(UTC), now),
        params=_params(asked, kind),
        scheduled=scheduled,
        unattended=severity is Severity.CRITICAL and (kind is ActionKind.ROLLBACK or replaces_rollback) and not waits,
        concerns=getattr(asked.payload, "model_version", None),
    )


def target_of(kind: ActionKind, payload: e.Payload, model: str) -> str:
    if kind is ActionKind.INGEST:
        return str(getattr(payload, "batch_id", NO_MODEL))
    if kind in (ActionKind.EVALUATE, ActionKind.PROMOTE):
        return str(getattr(payload, "model_version", model))
    if kind is ActionKind.MAINTENANCE:
        return NO_MODEL
    if kind in (ActionKind.SCALE_UP, ActionKind.SCALE_DOWN):
        return str(getattr(payload, "service_name", "serving"))
    return aim_of(payload, model)


def _params(asked: Asked, kind: ActionKind) -> Mapping[str, Any]:
    payload, state = asked.payload, asked.state
    if kind is ActionKind.INGEST:
        return payload.model_dump(mode="json")
    if kind is ActionKind.DRIFT_CHECK:
        # Only new data names its window; a check that stands in for a stale event looks at the newest.
        window = payload.window if isinstance(payload, e.DataProcessed) else None
        dataset = getattr(payload, "dataset", None) or (state.datasets[0] if state.datasets else "")
        return {"dataset": dataset, "windows": [] if window is None else [window.model_dump(mode="json")]}
    versions = {"from_version": getattr(payload, "model_version", None), "to_version": getattr(payload, "rollback_target", None)}
    approval = asked.policy.approvals.get(state.model)
    asks = kind in _OF_A_PERSON and approval is not None and approval.mode == "manual"
    person = {"approval": {"timeout_seconds": int(approval.timeout.total_seconds()), "default": approval.default}} if asks and approval else {}
    return {**(versions if kind is ActionKind.ROLLBACK else {}), **person}


def _guarded(asked: Asked, rule: str, proposal: Proposal, guards: Sequence[Guard], about: Circumstances | None = None) -> tuple[Answer, tuple[ActionKind, ...]]:
    """The answer, and what is to stand in for what was stopped or deferred."""
    results: list[GuardResult] = []
    stand_ins: tuple[ActionKind, ...] = ()
    deferred = False
    for guard in guards:
        verdict = guard(proposal, about or asked.about)
        if isinstance(verdict, GuardResult):
            results.append(verdict)
            continue
        results.append(verdict.result)
        stand_ins += verdict.stand_ins
        if isinstance(verdict, Stop):
            return _stopped(proposal, verdict, tuple(results)), stand_ins
        deferred, proposal = True, _later(proposal, verdict)
    return _accepted(asked, rule, proposal, tuple(results), deferred=deferred), stand_ins


def _later(proposal: Proposal, verdict: Defer) -> Proposal:
    return replace(proposal, due_at=verdict.until, scheduled=True)


def _stopped(proposal: Proposal, verdict: Stop, results: tuple[GuardResult, ...]) -> Answer:
    return Answer(
        proposal.kind,
        proposal.target,
        proposal.reason,
        verdict.outcome,
        results,
        verdict.allowed_at,
        absorption=verdict.absorption,
        releases=proposal.releases,
    )


def _accepted(asked: Asked, rule: str, proposal: Proposal, results: tuple[GuardResult, ...], *, deferred: bool) -> Answer:
    if proposal.releases is not None:
        return Answer(proposal.kind, proposal.target, proposal.reason, Outcome.ACCEPTED, results, releases=proposal.releases)
    event = asked.event
    model = asked.state.model if asked.state.known and proposal.kind is not ActionKind.MAINTENANCE else NO_MODEL
    key = action_key(event.source, event.id, rule, proposal.kind, model, proposal.target)
    action = Action(
        id=UUID(derived_id("action", key)),
        kind=proposal.kind,
        model=model,
        target=proposal.target,
        params=dict(proposal.params),
        reason=proposal.reason,
        severity=proposal.severity.word,
        priority=proposal.priority,
        due_at=proposal.due_at,
        as_of=proposal.as_of,
        causes=(Cause(source=event.source, id=event.id, type=event.type),),
        traceparent=event.extensions.get("traceparent") or trace_of(event),
    )
    outcome = Outcome.DEFERRED if deferred else Outcome.ACCEPTED
    allowed_at = proposal.due_at if deferred else None
    return Answer(proposal.kind, proposal.target, proposal.reason, outcome, results, allowed_at, action=action, key=key, accepted_at=proposal.due_at)
