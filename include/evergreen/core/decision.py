"""The record of one decision: what was asked, what each guard said, what follows. Canonical JSON, chained by hash per model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from evergreen.contracts.actions import Action, ActionKind
from evergreen.contracts.envelope import Event, canonical_json
from evergreen.contracts.events import Payload

GENESIS = "0" * 64
"""What a model's first decision is chained to."""


class Outcome(StrEnum):
    ACCEPTED = "accepted"
    """An action was made."""
    ABSORBED = "absorbed"
    """An action that waits already took it in."""
    SUPPRESSED = "suppressed"
    """A guard stopped it; `allowed_at` says until when, where it knows."""
    DEFERRED = "deferred"
    """An action was made for a later time, when it is decided again."""
    PAUSED = "paused"
    """The kill switch stopped it."""
    STALE = "stale"
    """The event was too old to act on."""
    IGNORED = "ignored"
    """Nothing was to be done."""


@dataclass(frozen=True)
class GuardResult:
    guard: str
    passed: bool
    detail: str = ""


@dataclass(frozen=True)
class Absorption:
    """What the absorbing action becomes."""

    into: UUID
    status: Literal["pending", "running"]
    reason: str
    severity: str
    priority: Literal["normal", "high"]
    due_at: datetime
    as_of: datetime
    params: Mapping[str, Any]
    runs_now: bool
    """It was scheduled for later and is due now."""
    sooner: bool = False
    """It is due before it was: cooldowns and limits count it from then."""


@dataclass(frozen=True)
class Answer:
    """One response to the event, with its fate."""

    kind: ActionKind
    target: str
    reason: str
    outcome: Outcome
    guards: tuple[GuardResult, ...] = ()
    allowed_at: datetime | None = None
    action: Action | None = None
    key: str = ""
    accepted_at: datetime | None = None
    absorption: Absorption | None = None
    releases: UUID | None = None
    """An action that waited and came due, when this is about it: accepted, it runs now; stopped, it is cancelled."""

    def facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = {"action": self.kind.value, "target": self.target, "reason": self.reason, "outcome": self.outcome.value}
        facts["guards"] = [{"guard": one.guard, "passed": one.passed, "detail": one.detail} for one in self.guards]
        if self.allowed_at is not None:
            facts["allowed_at"] = self.allowed_at
        if self.action is not None:
            facts |= {"action_id": self.action.id, "due_at": self.action.due_at, "priority": self.action.priority}
        if self.releases is not None:
            facts |= {"action_id": self.releases}
        if self.absorption is not None:
            facts |= {"action_id": self.absorption.into, "due_at": self.absorption.due_at, "priority": self.absorption.priority}
        return facts


def fingerprint(event: Event, payload: Payload) -> str:
    """SHA-256 of what an event says, the same for the event as it was said and as it is read back from its row: over its typed payload,
    whole numbers as such, its instant in UTC."""
    said = {"source": event.source, "id": event.id, "type": event.type, "subject": event.subject, "time": event.time.astimezone(UTC).isoformat()}
    return hashlib.sha256(canonical_json({**said, "data": _whole(payload.model_dump(mode="json"))})).hexdigest()


def _whole(value: Any) -> Any:
    """JSON columns keep numbers by value: 1e22 comes back as a whole number, -0.0 as zero."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, dict):
        return {name: _whole(one) for name, one in value.items()}
    return [_whole(one) for one in value] if isinstance(value, list | tuple) else value


@dataclass(frozen=True)
class Decision:
    model: str
    event_source: str
    event_id: str
    event_type: str
    event_sha256: str
    policy_hash: str
    decided_at: datetime
    severity: str
    severity_path: tuple[str, ...]
    rule: str
    answers: tuple[Answer, ...]
    notes: tuple[str, ...]
    state: Mapping[str, Any]
    """What of the state was looked at."""

    @property
    def outcome(self) -> Outcome:
        return self.answers[0].outcome

    @property
    def gist(self) -> tuple[tuple[str, str, str, str], ...]:
        """What follows, for comparing two policies."""
        return gist_of([answer.facts() for answer in self.answers], self.decided_at)

    def body(self) -> bytes:
        return canonical_json(
            {
                "model": self.model,
                "event": {"source": self.event_source, "id": self.event_id, "type": self.event_type, "sha256": self.event_sha256},
                "policy": self.policy_hash,
                "decided_at": self.decided_at,
                "severity": {"final": self.severity, "path": self.severity_path},
                "rule": self.rule,
                "outcome": self.outcome.value,
                "answers": [answer.facts() for answer in self.answers],
                "notes": self.notes,
                "state": self.state,
            }
        )


def gist_of(answers: Iterable[Mapping[str, Any]], decided_at: datetime) -> tuple[tuple[str, str, str, str], ...]:
    """(action, target, outcome, when and in which turn) of answers as `Answer.facts` or a recorded body have them."""
    found = []
    for one in answers:
        due = one.get("due_at")
        when = "" if due is None else "later" if _instant(due) > decided_at else "now"
        found.append((one["action"], one["target"], one["outcome"], f"{when} {one.get('priority', '')}".strip()))
    return tuple(found)


def _instant(value: datetime | str) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def chain(previous: str, body: bytes) -> str:
    return hashlib.sha256(previous.encode() + body).hexdigest()


def trace_of(event: Event) -> str:
    """W3C trace context for an event whose producer gave none: the same one whenever it is asked for."""
    digest = hashlib.sha256(f"{event.source}\x1f{event.id}".encode()).hexdigest()
    return f"00-{digest[:32]}-{digest[32:48]}-01"


def action_key(event_source: str, event_id: str, rule: str, kind: ActionKind, model: str, target: str) -> str:
    """The same event decided again asks for the same action."""
    return hashlib.sha256("\x1f".join((event_source, event_id, rule, kind.value, model, target)).encode()).hexdigest()
