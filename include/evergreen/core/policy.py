"""`decide`: from an event and the recorded state to what follows. Pure: the same arguments give the same decision, byte for byte."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from evergreen.contracts import events as e
from evergreen.contracts.actions import NO_MODEL, ActionKind
from evergreen.contracts.envelope import Event
from evergreen.contracts.topics import payload_of
from evergreen.core.answers import Asked, answers_of, released
from evergreen.core.decision import Answer, Decision, fingerprint
from evergreen.core.rules import Cell, Policy, Rule
from evergreen.core.severity import Severity
from evergreen.core.snapshot import snapshot
from evergreen.core.state import State

_STRENGTH = (ActionKind.IGNORE, ActionKind.MONITOR, ActionKind.ALERT, ActionKind.RETRAIN, ActionKind.ROLLBACK)
_OF_A_MODEL = frozenset(
    {ActionKind.DRIFT_CHECK, ActionKind.PERFORMANCE_CHECK, ActionKind.RETRAIN, ActionKind.EVALUATE, ActionKind.PROMOTE, ActionKind.ROLLBACK}
)
NO_MODEL_CONCERNED = Cell(action=ActionKind.IGNORE, note="no_model")
UNKNOWN_MODEL = Cell(action=ActionKind.ALERT, note="unknown_model")


def decide(event: Event, state: State, now: datetime, policy: Policy) -> Decision:
    """What follows from `event` for the model of `state`. An event of several models is decided once for each.
    Raises InvalidEvent for a payload that does not match its type."""
    asked = Asked(event, payload_of(event), state, now.astimezone(UTC), policy)
    severity, path = severity_of(event.type, asked.payload, policy)
    waiting = state.waiting(asked.payload.action_id) if isinstance(asked.payload, e.TimerDue) else None
    notes: tuple[str, ...] = ()
    if waiting is not None:
        rule_name = f"{event.type}.release"
        severity, path = waiting.severity, (f"as decided before: {waiting.severity.word}",)
        answers = released(asked, rule_name, waiting)
    else:
        rule_name, cell, notes = _cell(asked, severity)
        answers = answers_of(asked, rule_name, severity, cell, policy.rule(event.type).always if state.known else ())
    return Decision(
        model=state.model if state.known else NO_MODEL,
        event_source=event.source,
        event_id=event.id,
        event_type=event.type,
        event_sha256=fingerprint(event, asked.payload),
        policy_hash=policy.hash,
        decided_at=asked.now,
        severity=severity.word,
        severity_path=path,
        rule=rule_name,
        answers=answers,
        notes=notes,
        state=_looked_at(asked, answers),
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


def _cell(asked: Asked, severity: Severity) -> tuple[str, Cell, tuple[str, ...]]:
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


def _honoured(asked: Asked, rule: Rule) -> tuple[str, Cell] | None:
    for field, values in rule.honours.items():
        cells = values.get(str(getattr(asked.payload, field)))
        if cells:
            return f"{asked.event.type}.{field}", _first_holding(asked, cells)
    return None


def _first_holding(asked: Asked, cells: tuple[Cell, ...]) -> Cell:
    return next(cell for cell in cells if all(_holds(asked, field, value) for field, value in cell.condition.items()))


def _holds(asked: Asked, field: str, value: object) -> bool:
    found = _computed(asked, field)
    return found is not None if value == "*" else bool(found == value)


def _computed(asked: Asked, field: str) -> object:
    if field == "source":
        return asked.event.source
    if field == "in_bake":
        return asked.state.baking(getattr(asked.payload, "model_version", None))
    return getattr(asked.payload, field)


def _strength(cell: Cell) -> tuple[int, bool, bool]:
    """Retraining now is stronger than in the window, and before others stronger than in turn."""
    kind = _STRENGTH.index(cell.action) if cell.action in _STRENGTH else len(_STRENGTH)
    return (kind, cell.when == "now", cell.priority == "high")


def _looked_at(asked: Asked, answers: Sequence[Answer]) -> dict[str, Any]:
    """The part of the state these answers came from, as recorded with the decision."""
    kinds = {answer.kind for answer in answers}
    named = [getattr(asked.payload, name, None) for name in ("model_version", "rollback_target")]
    named += [one.params.get("to_version") for one in asked.state.open if one.kind in kinds]
    versions = {version for version in named if isinstance(version, str)}
    return snapshot(asked.state, event_type=asked.event.type, kinds=kinds, versions=versions, now=asked.now, policy=asked.policy)
