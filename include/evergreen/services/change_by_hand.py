"""A promotion or a rollback that a person asks for: what the command line and serving share.

Guarantee: one key, one action, recorded with who asked and why; the run that carries it out looks again under the champion's lock. Failure: the
rules refuse it. Remedy: `ask_if_allowed` says so before anything is recorded; `ask` records it, and its run fails with the same words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from evergreen.contracts.actions import Action, ActionKind
from evergreen.contracts.envelope import derived_id
from evergreen.core.clock import Clock
from evergreen.core.errors import DeploymentRefused, InvalidRequest, KeyReused, NotFound
from evergreen.ports.model import ModelSpec
from evergreen.ports.model_store import DeployStore
from evergreen.services.carry_out import CarryOut
from evergreen.services.preview_change import PreviewChange
from evergreen.services.version_names import parse_version


@dataclass(frozen=True)
class Change:
    kind: Literal[ActionKind.PROMOTE, ActionKind.ROLLBACK]
    model: str
    version: str | None
    """`name@N`: what shall serve. None, of a rollback: the newest stable version that loads."""
    forced: bool = False
    reason: str | None = None

    @property
    def target(self) -> str:
        return self.version if self.kind is ActionKind.PROMOTE and self.version is not None else self.model

    @property
    def params(self) -> dict[str, Any]:
        where = {} if self.kind is ActionKind.PROMOTE else {"from_version": None, "to_version": self.version}
        return {**where, "forced": self.forced} | ({"reason": self.reason} if self.reason else {})


class ChangeByHand:
    def __init__(self, store: DeployStore, clock: Clock, specs: Mapping[str, ModelSpec], preview: PreviewChange) -> None:
        self._store = store
        self._clock = clock
        self._specs = specs
        self._preview = preview

    def preview(self, change: Change) -> dict[str, Any]:
        """What it would do now. Raises NotFound, InvalidRequest."""
        self._check(change)
        return self._preview.run(change.kind, change.model, change.target, change.params)

    def ask(self, change: Change, *, who: str, key: str) -> Action:
        """Raises NotFound, InvalidRequest, KeyReused."""
        self._check(change)
        action = CarryOut(self._store, self._clock).request(
            change.kind, model=change.model, target=change.target, reason="manual", who=who, key=key, params=change.params
        )
        recorded = self._recorded(action.id)
        if recorded is not None and (recorded.target, recorded.params) != (action.target, action.params):
            raise KeyReused("this Idempotency-Key was used for another change")
        return action

    def ask_if_allowed(self, change: Change, *, who: str, key: str) -> Action:
        """Raises DeploymentRefused, too, where the rules refuse it now or there is nothing to change; not for a repeat of what was asked before."""
        self._check(change)
        if self._recorded(UUID(derived_id("manual", change.kind, key))) is None:
            found = self._preview.run(change.kind, change.model, change.target, change.params)
            if found["outcome"] in ("refused", "nothing_to_do"):
                raise DeploymentRefused(str(found["reason"]))
        return self.ask(change, who=who, key=key)

    def _check(self, change: Change) -> None:
        if change.model not in self._specs:
            raise NotFound(f"no model {change.model!r}; known: {', '.join(self._specs)}")
        if change.version is not None and parse_version(change.version)[0] != change.model:
            raise InvalidRequest(f"{change.version} is no version of {change.model}")

    def _recorded(self, action_id: UUID) -> Action | None:
        with self._store.transaction() as tx:
            row = tx.actions.get(action_id)
        return None if row is None else row.action
