"""Asking for a model trained elsewhere to be let into the gates: what the command line and serving share. Nothing is fetched here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from evergreen.contracts.actions import Action, ActionKind
from evergreen.core.clock import Clock
from evergreen.core.errors import InvalidRequest, KeyReused, NotFound
from evergreen.core.release import last_released_day
from evergreen.core.submission import parse_candidate_uri
from evergreen.ports.model import ModelSpec
from evergreen.ports.storage import Store
from evergreen.services.carry_out import CarryOut

CAUSE = "submitted"


@dataclass(frozen=True)
class Submission:
    model: str
    uri: str
    trained_to: date
    """The last day whose outcomes its author may have seen."""
    reason: str
    who: str
    key: str
    """What identifies the asking: the same key is the same submission."""


class RequestSubmission:
    """Guarantee: one key, one action; recorded with who asked and why. It has a target of its own, so that no retrain the loop wants is
    ever taken to be done by it."""

    def __init__(self, store: Store, clock: Clock, specs: Mapping[str, ModelSpec]) -> None:
        self._store = store
        self._clock = clock
        self._specs = specs

    def run(self, asked: Submission) -> Action:
        """Raises NotFound, InvalidRequest, KeyReused, Unavailable."""
        spec = self._specs.get(asked.model)
        if spec is None:
            raise NotFound(f"no model {asked.model!r}")
        if spec.adopt is None:
            raise InvalidRequest(f"{asked.model} takes no model trained elsewhere")
        parse_candidate_uri(asked.uri)
        last = last_released_day(self._clock.now())
        if asked.trained_to > last:
            raise InvalidRequest(f"trained_to {asked.trained_to} lies in the future: the newest day anybody knows is {last}")
        params = {"candidate": asked.uri, "trained_to": asked.trained_to.isoformat(), "reason": asked.reason}
        action = CarryOut(self._store, self._clock).request(
            ActionKind.RETRAIN,
            model=asked.model,
            target=f"{asked.model}/{CAUSE}",
            reason=CAUSE,
            who=asked.who,
            key=f"{CAUSE}:{asked.model}:{asked.who}:{asked.key}",
            params=params,
        )
        with self._store.transaction() as tx:
            recorded = tx.actions.get(action.id)
        if recorded is not None and recorded.action.params != action.params:
            raise KeyReused("this Idempotency-Key was used for another submission")
        return action
