"""`evergreen policy backtest`: what another policy would have done with the recorded events.

The events are given; what the candidate asks for is carried out in a model of the work: an action ends after the median time that its
kind took, and succeeds. Events that the recorded actions led to (a training completed) stay as they are, so the further a candidate's
actions part from the recorded ones, the rougher the picture."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from statistics import fmean
from typing import Any
from uuid import UUID

from evergreen.contracts.actions import NO_MODEL, ActionKind
from evergreen.contracts.envelope import Event
from evergreen.contracts.events import ModelTrainingCompleted
from evergreen.contracts.topics import payload_of
from evergreen.core.blast_radius import DAY
from evergreen.core.concerns import Catalogue
from evergreen.core.decision import Decision, Outcome
from evergreen.core.errors import InvalidRequest
from evergreen.core.rules import Policy
from evergreen.core.snapshot import restored
from evergreen.core.state import State
from evergreen.ports.records import DecisionRow, EventRow, RecordStore
from evergreen.services.backtest_tally import Comparison, Tally, told_by
from evergreen.services.decide import Arrived, Planner
from evergreen.services.tick import timer_due

TELL_EVERY = 1000
TYPICAL = timedelta(minutes=2)
"""For a kind that was never carried out."""


@dataclass
class _World:
    """The candidate's: states as its own actions make them."""

    policy: Policy
    catalogue: Catalogue
    takes: Mapping[ActionKind, timedelta]
    states: dict[str, State] = field(default_factory=dict)
    ends: list[tuple[datetime, int, str, UUID]] = field(default_factory=list)
    dues: list[tuple[datetime, int, str, UUID]] = field(default_factory=list)
    number: int = 0

    def decide(self, event: Event, model: str, recorded: State, now: datetime) -> list[tuple[Event, Decision]]:
        """What comes due before `now`, then the event; each with its decision."""
        decided = self._pass_time(now)
        self.states.setdefault(NO_MODEL, State())
        known = model in self.catalogue or model == NO_MODEL
        chain = model if known else NO_MODEL
        state = self.states.get(chain)
        if state is None:  # what happened before the part that is looked at, as its first decision saw it
            state = replace(recorded, model=chain, known=True, datasets=tuple(self.catalogue.get(chain, ())), open=())
        # What the world outside decided is taken as it was.
        self.states[chain] = replace(state, paused=recorded.paused, not_stable=recorded.not_stable)
        return [*decided, (event, self._decided(event, model, now))]

    def _decided(self, event: Event, model: str, now: datetime) -> Decision:
        arrived = Arrived(EventRow(event, "", received_at=now), payload_of(event))
        planner = Planner(self.policy, self.catalogue, self.states, {}, now)
        decision = planner.decide_for(arrived, model)
        self.states = dict(planner.states)
        for answer in decision.answers:
            if answer.action is not None:
                self._follow(decision.model, answer.action.id, answer.action.kind, answer.action.due_at, now)
            elif answer.absorption is not None and answer.absorption.sooner:
                self._follow(decision.model, answer.absorption.into, answer.kind, answer.absorption.due_at, now)
            elif answer.releases is not None and answer.outcome is Outcome.ACCEPTED:
                self._ends(decision.model, answer.releases, answer.kind, now)
        return decision

    def _follow(self, model: str, action_id: UUID, kind: ActionKind, due_at: datetime, now: datetime) -> None:
        if due_at > now:
            self.number += 1
            heapq.heappush(self.dues, (due_at, self.number, model, action_id))
        else:
            self._ends(model, action_id, kind, now)

    def _ends(self, model: str, action_id: UUID, kind: ActionKind, now: datetime) -> None:
        self.number += 1
        heapq.heappush(self.ends, (now + self.takes.get(kind, TYPICAL), self.number, model, action_id))

    def _pass_time(self, now: datetime) -> list[tuple[Event, Decision]]:
        """What ends and what comes due until `now`, in its order."""
        decided = []
        while (at := min((heap[0][0] for heap in (self.ends, self.dues) if heap), default=now)) <= now and (self.ends or self.dues):
            if self.ends and self.ends[0][0] == at:
                _, _, model, action_id = heapq.heappop(self.ends)
                state = self.states[model]
                self.states[model] = replace(state, open=tuple(one for one in state.open if one.id != action_id))
                continue
            due_at, _, model, action_id = heapq.heappop(self.dues)
            waiting = self.states[model].waiting(str(action_id))
            if waiting is not None and waiting.due_at == due_at:  # neither hurried nor cancelled meanwhile
                event = timer_due("scheduled", model, due_at, due_at, action_id=str(action_id)).row.event
                decided.append((event, self._decided(event, model, due_at)))
        self._forget(now)
        return decided

    def _forget(self, now: datetime) -> None:
        """What no guard looks back to any more."""
        for model, state in self.states.items():
            if len(state.corrective) > 100:
                self.states[model] = replace(state, corrective=tuple(one for one in state.corrective if one.at > now - DAY))


class Backtest:
    def __init__(self, store: RecordStore, catalogue: Catalogue) -> None:
        self._store = store
        self._catalogue = catalogue

    def run(self, candidate: Policy, since: datetime | None = None, until: datetime | None = None, told: Callable[[int], None] = lambda _: None) -> Comparison:
        """Against what was recorded in [since, until) by platform time, everything by default."""
        recorded, (tally,), events, cost = self._decided([candidate], since, until, told)
        return told_by(recorded, tally, events=events, cost=cost)

    def beside(self, running: Policy, candidate: Policy, since: datetime, most: int) -> tuple[Comparison, Comparison]:
        """(recorded against `running`, `running` against `candidate`): both decide in the same model of the work, so what the second says is the
        candidate's alone. Raises InvalidRequest when there are more than `most` decisions since then."""

        def bounded(done: int) -> None:
            if done > most:
                raise InvalidRequest(f"more than {most} decisions in this time: look at fewer days")

        recorded, (was, would), events, cost = self._decided([running, candidate], since, None, bounded)
        return told_by(recorded, was, events=events, cost=cost), told_by(was, would, events=events, cost=cost)

    def _decided(
        self, policies: Sequence[Policy], since: datetime | None, until: datetime | None, told: Callable[[int], None]
    ) -> tuple[Tally, list[Tally], int, float | None]:
        """What was recorded and what each policy would have done, the number of decisions, and what a training cost on average."""
        recorded, tallies, costs = Tally(), [Tally() for _ in policies], list[float]()
        done = 0
        with self._store.transaction() as tx:
            typical = tx.history.typical_durations()
            worlds = [_World(policy, self._catalogue, typical) for policy in policies]
            for row, said in tx.decisions.recorded(since, until):
                event, done = _event(row, said), done + 1
                if done % TELL_EVERY == 0:
                    told(done)
                body: dict[str, Any] = json.loads(row.body)
                recorded.add(event, body)
                if event.type == "model_training_completed":
                    costs.append(ModelTrainingCompleted.model_validate(event.data).cost_seconds)
                if _is_release(event):
                    continue  # of an action of the recorded policy; the candidate's come due by themselves
                for world, tally in zip(worlds, tallies, strict=True):
                    for about, decision in world.decide(event, _asked_model(row, body), restored(body["state"], event.type), row.decided_at):
                        tally.add(about, json.loads(decision.body()))
        told(done)
        return recorded, tallies, done, fmean(costs) if costs else None


def _event(row: DecisionRow, said: Mapping[str, Any]) -> Event:
    try:
        return Event.model_validate(said)
    except ValueError as error:
        raise InvalidRequest(f"the event of decision {row.model}/{row.seq} cannot be read; `evergreen policy replay` says what was changed") from error


def _is_release(event: Event) -> bool:
    return event.type == "timer_due" and event.data.get("action_id") is not None


def _asked_model(row: DecisionRow, body: Mapping[str, Any]) -> str:
    return str(body["state"]["model"]) if body["state"]["known"] else row.model
