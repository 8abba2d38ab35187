"""`evergreen policy replay`: recorded events are decided again, and the decisions compared byte for byte.

Guarantee: with the policy that was in force, an event decided again gives the recorded decision. Failure: somebody changed a row, a
policy or the code that decides. Remedy: the state is rebuilt in the order of the rows (who serves, which candidate was refused, which
actions were made) and held against what the decision says it looked at; what changes outside decisions (the status of an action, a
pause) is taken from the decision, which is under its hash; then it is decided again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from evergreen.contracts.envelope import Event
from evergreen.contracts.errors import InvalidEvent
from evergreen.contracts.topics import payload_of
from evergreen.core.evolution import with_event
from evergreen.core.policy import decide
from evergreen.core.rules import Policy
from evergreen.core.snapshot import restored
from evergreen.core.state import State
from evergreen.ports.records import DecisionRow, RecordStore

TELL_EVERY = 1000


@dataclass(frozen=True)
class Replayed:
    """`difference`: the first one, in words; None when there is none."""

    decisions: int
    difference: str | None = None
    model: str | None = None
    seq: int | None = None


@dataclass
class _Rebuilt:
    """One model's state as far as the decisions so far determine it."""

    state: State
    made: set[UUID] = field(default_factory=set)
    from_the_start: bool = False


class ReplayDecisions:
    def __init__(self, store: RecordStore) -> None:
        self._store = store

    def run(self, since: datetime | None = None, until: datetime | None = None, told: Callable[[int], None] = lambda _: None) -> Replayed:
        """Of [since, until) by platform time, everything by default. `told` hears how many decisions were compared so far."""
        done, rebuilt = 0, dict[str, _Rebuilt]()
        with self._store.transaction() as tx:
            policies = _Policies(tx.policies.bodies())
            for row, said in tx.decisions.recorded(since, until):
                difference = _difference(row, said, policies, rebuilt)
                if difference is not None:
                    return Replayed(done, f"decision {row.model}/{row.seq} on {row.event_type} {row.event_id}: {difference}", row.model, row.seq)
                done += 1
                if done % TELL_EVERY == 0:
                    told(done)
        return Replayed(done)


class _Policies:
    """Of then, read when a decision first asks for one."""

    def __init__(self, bodies: Mapping[str, Mapping[str, Any]]) -> None:
        self._bodies = bodies
        self._read: dict[str, Policy] = {}

    def get(self, digest: str) -> Policy | None:
        """None where there is none, or another than it was. Raises ValueError where it can no longer be read."""
        if digest in self._bodies and digest not in self._read:
            self._read[digest] = Policy.model_validate(self._bodies[digest])
        found = self._read.get(digest)
        return found if found is not None and found.hash == digest else None


def _difference(row: DecisionRow, said: Mapping[str, Any], policies: _Policies, rebuilt: dict[str, _Rebuilt]) -> str | None:
    if said["type"] != row.event_type:
        return f"its event is a {said['type']} now"
    try:
        policy, event = policies.get(row.policy_hash), Event.model_validate(said)
        if policy is None:
            return f"its policy {row.policy_hash[:12]} is not on record as it was"
        body: dict[str, Any] = json.loads(row.body)
        state, now = restored(body["state"], event.type), datetime.fromisoformat(body["decided_at"])
        fault = _strange(row, event, state, rebuilt)
        decision = decide(event, state, now, policy)
    except (InvalidEvent, ValueError, KeyError, TypeError, LookupError) as error:  # a row somebody changed may hold anything
        return f"cannot be read back: {type(error).__name__}: {error}"
    if fault is not None:
        return fault
    if decision.body() != row.body.encode():
        return _first_change(body, json.loads(decision.body()))
    rebuilt[row.model].made |= {answer.action.id for answer in decision.answers if answer.action is not None}
    return None


def _strange(row: DecisionRow, event: Event, looked_at: State, rebuilt: dict[str, _Rebuilt]) -> str | None:
    """What the decision says it looked at against what the earlier rows say. The first decision of a model is believed: rows before it
    may be beyond the time that is kept."""
    first = row.model not in rebuilt
    mine = rebuilt.setdefault(row.model, _Rebuilt(looked_at, from_the_start=row.seq == 1))
    if first:
        mine.made |= {one.action_id for one in looked_at.corrective}
        return None
    if looked_at.known:
        mine.state = with_event(mine.state, event.time, payload_of(event))
        for name in ("champion", "refused_at"):
            said, rows = getattr(looked_at, name), getattr(mine.state, name)
            if said != rows:
                return f"state.{name} is {said}, by the rows before it {rows}"
    unknown = [one for one in looked_at.corrective if one.action_id not in mine.made] if mine.from_the_start else []
    if unknown:
        return f"state.corrective holds action {unknown[0].action_id}, which no decision before it made"
    return None


def _first_change(recorded: Mapping[str, Any], again: Mapping[str, Any]) -> str:
    for name in sorted({*recorded, *again}):
        if recorded.get(name) != again.get(name):
            return f"{name} was {_short(recorded.get(name))}, is {_short(again.get(name))}"
    return "the same values, written differently"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}…"
