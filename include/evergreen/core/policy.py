"""`decide`: from an event and the recorded state to what follows. Pure: the same arguments give the same decision, byte for byte."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from evergreen.contracts import events as e
from evergreen.contracts.actions import NO_MODEL, Action, ActionKind, Cause
from evergreen.contracts.envelope import Event, derived_id
from evergreen.contracts.topics import payload_of
from evergreen.core.concerns import aim_of
from evergreen.core.decision import Answer, Decision, GuardResult, Outcome, action_key, trace_of
from evergreen.core.guards import Circumstances, Guard, Proposal, Stop, guards_for, stale
from evergreen.core.rules import Cell, Policy, Rule
from evergreen.core.severity import Severity
from evergreen.core.state import State

_STRENGTH = (ActionKind.IGNORE, ActionKind.MONITOR, ActionKind.ALERT, ActionKind.RETRAIN, ActionKind.ROLLBACK)
_CHECK_AGAIN = {"data_drift_detected": ActionKind.DRIFT_CHECK, "model_performance_degraded": ActionKind.PERFORMANCE_CHECK}
_OF_A_MODEL = frozenset(
    {ActionKind.DRIFT_CHECK, ActionKind.PERFORMANCE_CHECK, ActionKind.RETRAIN, ActionKind.EVALUATE, ActionKind.PROMOTE, ActionKind.ROLLBACK}
)
NO_MODEL_CONCERNED = Cell(action=ActionKind.IGNORE, note="no_model")
UNKNOWN_MODEL = Cell(action=ActionKind.ALERT, note="unknown_model")


@dataclass(frozen=True)
class _Asked:
    event: Event
    payload: e.Payload
    state: State
    now: datetime
    policy: Policy

    @property
    def about(self) -> Circumstances:
        return Circumstances(self.event.type, self.event.time, self.now, self.state, self.policy)


def decide(event: Event, state: State, now: datetime, policy: Policy) -> Decision:
    """What follows from `event` for the model of `state`. An event of several models is decided once for each.
    Raises InvalidEvent for a payload that does not match its type."""
    asked = _Asked(event, payload_of(event), state, now.astimezone(UTC), policy)
    severity, path = severity_of(event.type, asked.payload, policy)
    rule_name, cell, notes = _cell(asked, severity)
    kinds = dict.fromkeys([cell.action, *cell.beside, *(policy.rule(event.type).always if state.known else ())])
    answers: list[Answer] = []
    for kind in kinds:
        if all(answer.kind is not kind for answer in answers):
            answers += _answer(asked, rule_name, severity, kind, cell)
    return Decision(
        model=state.model if state.known else NO_MODEL,
        event_source=event.source,
        event_id=event.id,
        event_type=event.type,
        policy_hash=policy.hash,
        decided_at=asked.now,
        severity=severity.word,
        severity_path=path,
        rule=rule_name,
        answers=tuple(answers),
        notes=notes,
        state=_looked_at(asked, {answer.kind for answer in answers}),
    )


def severity_of(event_type: str, payload: e.Payload, policy: Policy) -> tuple[Severity, tuple[str, ...]]:
    """The event's own, raised by evidence and never lowered; and how it came about."""
    severity = Severity.parse(getattr(payload, "severity", "medium"))
    path = [f"event: {severity.word}"]
    for word, evidence in sorted(policy.evidence.get(event_type, {}).items(), key=lambda level: Severity.parse(level[0])):
        level = Severity.parse(word)
        for one in evidence:
            number = _number(getattr(payload, one.field))
            if number > one.above and level > severity:
                severity = level
                path.append(f"{one.field} {number:g} > {one.above:g}: {level.word}")
    return severity, tuple(path)


def _number(value: Any) -> float:
    return float(len(value)) if isinstance(value, list | tuple) else float(value)


def _cell(asked: _Asked, severity: Severity) -> tuple[str, Cell, tuple[str, ...]]:
    if not asked.state.known:
        return f"{asked.event.type}.unknown_model", UNKNOWN_MODEL, (f"unknown_model: {asked.state.model}",)
    rule = asked.policy.rule(asked.event.type)
    cell = _first_holding(asked, rule.cells(severity))
    name = f"{asked.event.type}.{'any' if rule.any else severity.word}"
    wanted = _honoured(asked, rule)
    if wanted is not None and _strength(wanted[1]) > _strength(cell):
        name, cell = wanted
    if asked.state.model == NO_MODEL and cell.action in _OF_A_MODEL:
        name, cell = f"{asked.event.type}.no_model", NO_MODEL_CONCERNED
    return name, cell, (cell.note,) if cell.note else ()


def _honoured(asked: _Asked, rule: Rule) -> tuple[str, Cell] | None:
    for field, values in rule.honours.items():
        cells = values.get(str(getattr(asked.payload, field)))
        if cells:
            return f"{asked.event.type}.{field}", _first_holding(asked, cells)
    return None


def _first_holding(asked: _Asked, cells: tuple[Cell, ...]) -> Cell:
    return next(cell for cell in cells if all(_holds(asked, field, value) for field, value in cell.condition.items()))


def _holds(asked: _Asked, field: str, value: object) -> bool:
    found = asked.event.source if field == "source" else getattr(asked.payload, field)
    return found is not None if value == "*" else bool(found == value)


def _strength(cell: Cell) -> tuple[int, bool]:
    """Retraining now is stronger than in the window."""
    return (_STRENGTH.index(cell.action) if cell.action in _STRENGTH else len(_STRENGTH), cell.when == "now")


def _answer(asked: _Asked, rule: str, severity: Severity, kind: ActionKind, cell: Cell) -> list[Answer]:
    if kind is ActionKind.IGNORE:
        return [Answer(kind, aim_of(asked.payload, asked.state.model), cell.note or asked.event.type, Outcome.IGNORED)]
    proposal = _proposal(asked, severity, kind, cell if kind is cell.action else Cell(action=kind, reason=cell.reason))
    answer, was_stale = _guarded(asked, rule, proposal, guards_for(kind))
    if not was_stale:
        return [answer]
    # What stands in for it is not stale, but is bounded like any other of its kind.
    stand_ins = [ActionKind.ALERT, *filter(None, [_CHECK_AGAIN.get(asked.event.type)])]
    # A check looks at everything known now, not at what was known then.
    proposals = [replace(_proposal(asked, severity, one, Cell(action=one, reason=f"stale_{kind.value}")), as_of=asked.now) for one in stand_ins]
    return [answer, *(_guarded(asked, rule, one, tuple(guard for guard in guards_for(one.kind) if guard is not stale))[0] for one in proposals)]


def _proposal(asked: _Asked, severity: Severity, kind: ActionKind, cell: Cell) -> Proposal:
    scheduled = cell.when == "maintenance_window" and not asked.policy.window.contains(asked.now)
    return Proposal(
        kind=kind,
        target=target_of(kind, asked.payload, asked.state.model),
        reason=cell.reason or asked.event.type,
        severity=severity,
        priority=cell.priority,
        due_at=asked.policy.window.next_start(asked.now) if scheduled else asked.now,
        as_of=min(asked.event.time.astimezone(UTC), asked.now),
        params=params_of(kind, asked.payload, asked.state),
        scheduled=scheduled,
    )


def target_of(kind: ActionKind, payload: e.Payload, model: str) -> str:
    if kind is ActionKind.INGEST:
        return str(getattr(payload, "batch_id", NO_MODEL))
    if kind in (ActionKind.EVALUATE, ActionKind.PROMOTE):
        return str(getattr(payload, "model_version", model))
    if kind is ActionKind.MAINTENANCE:
        return NO_MODEL
    return aim_of(payload, model)


def params_of(kind: ActionKind, payload: e.Payload, state: State) -> Mapping[str, Any]:
    if kind is ActionKind.INGEST:
        return payload.model_dump(mode="json")
    if kind is ActionKind.DRIFT_CHECK:
        window = getattr(payload, "window", None)
        dataset = getattr(payload, "dataset", None) or (state.datasets[0] if state.datasets else "")
        return {"dataset": dataset, "windows": [] if window is None else [window.model_dump(mode="json")]}
    if kind is ActionKind.ROLLBACK:
        return {"from_version": getattr(payload, "model_version", None), "to_version": getattr(payload, "rollback_target", None)}
    return {}


def _guarded(asked: _Asked, rule: str, proposal: Proposal, guards: tuple[Guard, ...]) -> tuple[Answer, bool]:
    results: list[GuardResult] = []
    for guard in guards:
        verdict = guard(proposal, asked.about)
        if isinstance(verdict, Stop):
            outcome = Outcome.ABSORBED if verdict.absorption else Outcome.STALE if verdict.stale else Outcome.SUPPRESSED
            stopped = Answer(proposal.kind, proposal.target, proposal.reason, outcome, (*results, verdict.result), verdict.allowed_at)
            return replace(stopped, absorption=verdict.absorption), verdict.stale
        results.append(verdict)
    return _accepted(asked, rule, proposal, tuple(results)), False


def _accepted(asked: _Asked, rule: str, proposal: Proposal, results: tuple[GuardResult, ...]) -> Answer:
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
    return Answer(proposal.kind, proposal.target, proposal.reason, Outcome.ACCEPTED, results, action=action, key=key, accepted_at=proposal.due_at)


def _looked_at(asked: _Asked, kinds: set[ActionKind]) -> dict[str, Any]:
    """The part of the state the guards of these actions read, as recorded with the decision."""
    state = asked.state
    mine = (one for one in state.accepted if one.event_type == asked.event.type and one.kind in kinds)
    accepted = [one for one in mine if one.at + asked.policy.cooldown(one.kind) > asked.now]
    waiting = [one for one in state.open if one.kind in kinds]
    return {
        "known": state.known,
        "datasets": state.datasets,
        "accepted": sorted([one.kind.value, one.target, one.severity.word, one.at.isoformat()] for one in accepted),
        "open": sorted([one.kind.value, one.target, one.status, str(one.id), one.due_at.isoformat(), one.severity.word] for one in waiting),
        "refused_at": state.refused_at,
        "rows_since_refused": state.rows_since_refused,
        "rows_since_retrain": state.rows_since_retrain,
    }
