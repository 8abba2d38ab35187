"""The part of a state that a decision looked at, as recorded with it, and back.

Guarantee: deciding again from the recorded part gives the recorded decision, byte for byte, whatever became of the rows since. Failure:
actions change status between decisions, in transactions of their own, so the order of the rows cannot tell what a decision saw. Remedy:
the decision says it, under its hash."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from evergreen.contracts.actions import ActionKind
from evergreen.core.blast_radius import DAY
from evergreen.core.proposal import CORRECTIVE
from evergreen.core.rules import Policy
from evergreen.core.severity import Severity
from evergreen.core.state import Accepted, Champion, Corrective, Failing, OpenAction, State


def snapshot(state: State, *, event_type: str, kinds: Collection[ActionKind], versions: Collection[str], now: datetime, policy: Policy) -> dict[str, Any]:
    """`kinds`: of the actions that were proposed; `versions`: that the event or its actions name."""
    longest = {kind: max(policy.cooldown(kind), policy.storm_breaker.within) for kind in kinds}
    cooling = (one for one in state.accepted if one.event_type == event_type and one.kind in kinds and one.at + longest[one.kind] > now)
    counted = (one for one in state.corrective if now - DAY < one.at <= now) if CORRECTIVE & set(kinds) else ()
    champion = state.champion
    named = {*versions, *([champion.version] if champion else [])}
    return {
        "model": state.model,
        "known": state.known,
        "datasets": state.datasets,
        "paused": state.paused,
        "accepted": sorted([one.kind.value, one.target, one.severity.word, one.at.isoformat()] for one in cooling),
        "open": sorted((_open(one) for one in state.open if one.kind in kinds), key=lambda one: (one["due_at"], one["id"])),
        "corrective": sorted([one.at.isoformat(), one.event_type, one.kind.value, one.target, str(one.action_id)] for one in counted),
        "failing": sorted([one.kind.value, one.target, one.times, one.at.isoformat()] for one in state.failing if one.kind in kinds),
        "champion": None if champion is None else [champion.version, champion.since.isoformat(), champion.kind],
        "not_stable": sorted(named & set(state.not_stable)),
        "refused_at": state.refused_at,
        "rows_since_refused": state.rows_since_refused,
        "rows_since_retrain": state.rows_since_retrain,
    }


def restored(facts: Mapping[str, Any], event_type: str) -> State:
    """`facts` as read back from JSON."""
    at = datetime.fromisoformat
    champion = facts["champion"]
    return State(
        model=facts["model"],
        known=facts["known"],
        datasets=tuple(facts["datasets"]),
        paused=facts["paused"],
        accepted=tuple(Accepted(event_type, ActionKind(kind), target, Severity.parse(word), at(when)) for kind, target, word, when in facts["accepted"]),
        open=tuple(_opened(one) for one in facts["open"]),
        corrective=tuple(Corrective(name, ActionKind(kind), target, at(when), UUID(one)) for when, name, kind, target, one in facts["corrective"]),
        failing=tuple(Failing(ActionKind(kind), target, times, at(when)) for kind, target, times, when in facts["failing"]),
        champion=None if champion is None else Champion(champion[0], at(champion[1]), champion[2]),
        not_stable=tuple(facts["not_stable"]),
        refused_at=None if facts["refused_at"] is None else at(facts["refused_at"]),
        rows_since_refused=facts["rows_since_refused"],
        rows_since_retrain=facts["rows_since_retrain"],
    )


def _open(one: OpenAction) -> dict[str, Any]:
    times = {"due_at": one.due_at.isoformat(), "as_of": one.as_of.isoformat()}
    named = {name: getattr(one, name) for name in ("target", "status", "reason", "priority", "event_type", "params")}
    return {"id": str(one.id), "kind": one.kind.value, "severity": one.severity.word, **times, **named}


def _opened(facts: Mapping[str, Any]) -> OpenAction:
    typed = {"id": UUID(facts["id"]), "kind": ActionKind(facts["kind"]), "severity": Severity.parse(facts["severity"])}
    times = {name: datetime.fromisoformat(facts[name]) for name in ("due_at", "as_of")}
    return OpenAction(**{**facts, **typed, **times})
