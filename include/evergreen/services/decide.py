"""Deciding a batch of events, in memory: from recorded rows to everything one transaction writes.

The states evolve from event to event as the rows will, so a batch decides exactly as its events would one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from evergreen.contracts import events as e
from evergreen.contracts.actions import NO_MODEL, ActionKind, Cause
from evergreen.core.alerts import ALERTED_BY, alert_details, alert_text, grouping_of
from evergreen.core.concerns import Catalogue, models_of
from evergreen.core.decision import Absorption, Answer, Decision, Outcome, chain
from evergreen.core.evolution import with_event
from evergreen.core.policy import decide
from evergreen.core.proposal import CORRECTIVE, RESPONSES
from evergreen.core.rules import Policy
from evergreen.core.severity import Severity
from evergreen.core.state import Accepted, Corrective, OpenAction, State
from evergreen.ports.policy_records import ShadowRow
from evergreen.ports.records import Absorbed, AlertRow, DecisionRow, EventRow, Head, NewAction, Plan

DONE_HERE = frozenset({ActionKind.ALERT, ActionKind.MONITOR})
"""Recording these is carrying them out: the notifier delivers what was recorded, the monitor checks more often after it."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Arrived:
    """A new event with its typed payload."""

    row: EventRow
    payload: e.Payload


def concerned(arrived: Sequence[Arrived], catalogue: Catalogue) -> tuple[str, ...]:
    """Models whose chains this batch may extend: an unknown one is decided on the model-less chain."""
    named = {model for one in arrived for model in models_of(one.payload, catalogue)}
    return tuple(sorted({model if model in catalogue else NO_MODEL for model in named}))


class Planner:
    """For one batch. `states` and `heads` are what the database holds under the models' locks."""

    def __init__(
        self,
        policy: Policy,
        catalogue: Catalogue,
        states: Mapping[str, State],
        heads: Mapping[str, Head],
        now: datetime,
        shadow: Policy | None = None,
    ) -> None:
        self._policy = policy
        self._shadow = shadow
        self._catalogue = catalogue
        self._states = dict(states)
        self._heads = dict(heads)
        self._now = now
        self.plan = Plan()

    @property
    def states(self) -> Mapping[str, State]:
        """As they are after what was added."""
        return self._states

    def add(self, arrived: Arrived) -> list[Decision]:
        self.plan.events.append(arrived.row)
        return [self.decide_for(arrived, model) for model in models_of(arrived.payload, self._catalogue)]

    def decide_for(self, arrived: Arrived, model: str) -> Decision:
        event, known = arrived.row.event, model in self._states
        # An unknown name is decided on the model-less chain and its rows: nothing may grow with names somebody makes up.
        state = self._states[model] if known else replace(self._states[NO_MODEL], model=model, known=False)
        if known:
            state = with_event(state, event.time, arrived.payload)
        decision = decide(event, state, self._now, self._policy)
        if self._shadow is not None:
            self._decide_in_shadow(arrived, state, decision, self._shadow)
        seq = self._chain(decision)
        for answer in decision.answers:
            state = self._follow(arrived, decision, answer, state, seq)
        self._states[model if known else NO_MODEL] = state if known else replace(state, model=NO_MODEL, known=True)
        return decision

    def _decide_in_shadow(self, arrived: Arrived, state: State, decision: Decision, shadow: Policy) -> None:
        """Guarantee: a candidate policy harms nothing. Failure: it breaks on an event. Remedy: that is logged, and no row is written."""
        event = arrived.row.event
        try:
            other = decide(event, state, self._now, shadow)
        except Exception as error:  # noqa: BLE001 - the edge of a candidate that is only looked at
            log.warning("shadow_policy_failed", policy=shadow.hash, event_id=event.id, error=f"{type(error).__name__}: {error}")
            return
        self.plan.shadows.append(_shadow_row(other, agrees=other.gist == decision.gist))

    def _chain(self, decision: Decision) -> int:
        head, body = self._heads.get(decision.model, Head()), decision.body()
        row = DecisionRow(
            model=decision.model,
            seq=head.seq + 1,
            event_source=decision.event_source,
            event_id=decision.event_id,
            event_type=decision.event_type,
            policy_hash=decision.policy_hash,
            decided_at=decision.decided_at,
            severity=decision.severity,
            rule=decision.rule,
            outcome=decision.outcome.value,
            body=body.decode(),
            prev_hash=head.hash,
            hash=chain(head.hash, body),
        )
        self.plan.decisions.append(row)
        self._heads[decision.model] = Head(row.seq, row.hash)
        return row.seq

    def _follow(self, arrived: Arrived, decision: Decision, answer: Answer, state: State, seq: int) -> State:
        if answer.absorption is not None:
            self._absorb(arrived, answer.absorption)
            return _with_absorbed(state, answer)
        if answer.releases is not None:
            return self._release(answer, answer.releases, state)
        if answer.action is None or answer.accepted_at is None:
            return state
        action, event_type = answer.action, decision.event_type
        done = self._done(arrived, decision, answer) if action.kind in DONE_HERE else None
        self.plan.actions[action.id] = NewAction(action, answer.key, event_type, answer.accepted_at, seq, done)
        severity = Severity.parse(action.severity)
        if action.kind in CORRECTIVE:
            state = state.with_corrective(Corrective(event_type, action.kind, action.target, answer.accepted_at, action.id))
        if action.kind in RESPONSES:
            state = state.with_accepted(Accepted(event_type, action.kind, action.target, severity, answer.accepted_at, action.id))
        if done is None and action.kind is not ActionKind.INGEST:
            state = state.with_open(_waiting(answer, event_type))
        return state

    def _release(self, answer: Answer, action_id: UUID, state: State) -> State:
        if answer.outcome is Outcome.ACCEPTED:
            self.plan.released.append(action_id)
            return state
        self.plan.cancelled[action_id] = f"{answer.guards[-1].guard}: {answer.guards[-1].detail}"
        return state.without(action_id)

    def _done(self, arrived: Arrived, decision: Decision, answer: Answer) -> Mapping[str, Any]:
        event, action = arrived.row.event, answer.action
        if action is None or action.kind is not ActionKind.ALERT:
            return {"recorded": True}
        if event.extensions.get(ALERTED_BY) == event.source:
            return {"told_by": event.source}
        title, message = alert_text(event, arrived.payload, decision)
        grouping, cause = grouping_of(event, arrived.payload, action.target), (event.source, event.id)
        details = alert_details(event, arrived.payload, decision, action.reason)
        self.plan.alerts.append(AlertRow(action.id, grouping, decision.severity, title, message, decision.model, self._now, *cause, details=details))
        return {"title": title, "message": message}

    def _absorb(self, arrived: Arrived, absorption: Absorption) -> None:
        event = arrived.row.event
        cause = Cause(source=event.source, id=event.id, type=event.type)
        new = self.plan.actions.get(absorption.into)
        if new is not None:
            self.plan.actions[absorption.into] = _merged(new, absorption, cause)
            return
        earlier = self.plan.absorbed.get(absorption.into)
        before = earlier.absorption if earlier else absorption
        changed = replace(absorption, runs_now=absorption.runs_now or before.runs_now, sooner=absorption.sooner or before.sooner)
        self.plan.absorbed[absorption.into] = Absorbed(changed, causes=(*(earlier.causes if earlier else ()), cause))


def _shadow_row(other: Decision, *, agrees: bool) -> ShadowRow:
    names = ("policy_hash", "model", "event_source", "event_id", "event_type", "decided_at", "severity", "rule")
    return ShadowRow(**{name: getattr(other, name) for name in names}, outcome=other.outcome.value, body=other.body().decode(), agrees=agrees)


def _waiting(answer: Answer, event_type: str) -> OpenAction:
    action = answer.action
    if action is None:
        raise LookupError(answer.kind)
    return OpenAction(
        id=action.id,
        kind=action.kind,
        target=action.target,
        status="pending",
        reason=action.reason,
        severity=Severity.parse(action.severity),
        priority=action.priority,
        due_at=action.due_at,
        as_of=action.as_of,
        event_type=event_type,
        params=action.params,
    )


def _with_absorbed(state: State, answer: Answer) -> State:
    absorption = answer.absorption
    one = None if absorption is None else next((one for one in state.open if one.id == absorption.into), None)
    if absorption is None or one is None:
        return state
    severity = Severity.parse(absorption.severity)
    for before in state.accepted:
        if before.action_id == one.id:
            state = state.with_accepted(replace(before, severity=severity, at=absorption.due_at if absorption.sooner else before.at))
    for counted in state.corrective:
        if counted.action_id == one.id and absorption.sooner:
            state = state.with_corrective(replace(counted, at=absorption.due_at))
    merged = replace(one, reason=absorption.reason, severity=severity, priority=absorption.priority, due_at=absorption.due_at)
    return state.with_open(replace(merged, as_of=absorption.as_of, params=absorption.params))


def _merged(new: NewAction, absorption: Absorption, cause: Cause) -> NewAction:
    changes = {
        "reason": absorption.reason,
        "severity": absorption.severity,
        "priority": absorption.priority,
        "due_at": absorption.due_at,
        "as_of": absorption.as_of,
        "params": dict(absorption.params),
        "causes": (*new.action.causes, cause),
    }
    return replace(new, action=new.action.model_copy(update=changes), accepted_at=absorption.due_at if absorption.sooner else new.accepted_at)


def requested_now(plan: Plan, now: datetime) -> list[UUID]:
    """New actions whose doorbell rings with this transaction; a scheduled one's rings when it becomes due."""
    return [one.action.id for one in plan.actions.values() if one.done is None and one.action.due_at <= now]
