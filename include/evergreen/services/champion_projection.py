"""MLflow's aliases as a picture of Postgres: `champion`, `challenger`, `previous_champion`.

Guarantee: within one call after a change, by us or by hand, the aliases say what the tables say; a move by hand is one alert, a change of
ours is none. They are never read for a decision. Failure: a crash between our write and its record, or two processes at once. Remedy: what
is about to be written is recorded first, and one process at a time projects a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

import structlog

from evergreen.core.champion import ALIASES, ProjectedAliases, alias_changes, moved_by_hand, wanted_aliases
from evergreen.core.clock import wall_now
from evergreen.core.errors import ArtifactRefused, EvergreenError, NotFound
from evergreen.ports.model_store import DeployStore, DeployTransaction
from evergreen.ports.registry import ModelRegistry
from evergreen.services.alias_alerts import alias_moved
from evergreen.services.raise_alert import raise_alerts

log = structlog.get_logger(__name__)
Changes = dict[str, int | None]


class ChampionProjection:
    def __init__(
        self,
        store: DeployStore,
        registry: ModelRegistry,
        models: Iterable[str],
        now: Callable[[], datetime] = wall_now,
        examine: Callable[[str, int, str], None] | None = None,
    ) -> None:
        """`now`: the time alerts carry. `examine` (model, version, what is known against it): called for what an alias was moved to, once it is back."""
        self._store = store
        self._registry = registry
        self._models = tuple(models)
        self._now = now
        self._examine = examine

    def reconcile(self) -> dict[str, Changes]:
        """What was put right, by model. One request per model when nothing was wrong. Raises Unavailable when the registry does not
        answer: call again."""
        changed = {model: self._reconcile(model) for model in self._models}
        return {model: changes for model, changes in changed.items() if changes}

    def try_reconcile(self) -> None:
        """A registry that is away or in disorder must neither undo what the servers confirmed nor end the worker that calls this every few
        seconds: that call catches up."""
        try:
            self.reconcile()
        except EvergreenError as error:
            log.warning("aliases_not_projected", error=str(error))

    def _reconcile(self, model: str) -> Changes:
        changes, moved = self._put_back(model)
        for version, against in moved.items():
            if self._examine is not None:
                self._examine(model, version, against)
        return changes

    def _put_back(self, model: str) -> tuple[Changes, dict[int, str]]:
        """(what was changed, versions that aliases had been moved to by hand and what is known against each)."""
        moved: dict[int, str] = {}
        with self._store.transaction() as tx:
            tx.projected_aliases.hold(model)
            wanted, ours = aliases_of(tx, model), tx.projected_aliases.get(model)
            present = self._registry.aliases(model)
            changes = alias_changes(present, wanted)
            if changes:
                moved = self._announce(model, present, ours, wanted)
            left = _ours(wanted) if self._apply(model, changes) else _ours(self._registry.aliases(model))
            if ours is None or changes or ours != left:
                tx.projected_aliases.put(model, left)
        return changes, moved

    def _announce(self, model: str, present: Mapping[str, int], ours: ProjectedAliases | None, wanted: Mapping[str, int]) -> dict[int, str]:
        """Committed before anything is written: the alert, what was seen, and what comes."""
        moved, now = moved_by_hand(present, ours, wanted), self._now()
        against = {found: self._against(model, found) for _, found in moved.values()}
        with self._store.transaction() as tx:
            rows = [alias_moved(model, alias, before, found, wanted.get(alias), against[found], now) for alias, (before, found) in moved.items()]
            raise_alerts(tx, rows)
            tx.projected_aliases.put(model, ProjectedAliases(_ours(present).shown, {alias: wanted.get(alias) for alias in ALIASES}))
        for alias, (before, found) in moved.items():
            log.warning("alias_moved_by_hand", model=model, alias=alias, before=before, found=found)
        return {version: said for version, said in against.items() if version is not None}

    def _against(self, model: str, version: int | None) -> str:
        """What is known against a version an alias was moved to; empty: nothing."""
        if version is None:
            return ""
        with self._store.transaction() as tx:
            row = tx.versions.get(model, version)
        if row is not None and row.quarantined is not None:
            return f"quarantined ({row.quarantined})"
        try:
            self._registry.verify(model, version)
        except (ArtifactRefused, NotFound) as error:
            return f"not a version of ours ({error})" if row is None else f"refused ({error})"
        except EvergreenError as error:  # the alias is put back all the same
            log.warning("moved_to_an_unchecked_version", model=model, version=version, error=str(error))
        return "" if row is not None else "not a version of ours"

    def _apply(self, model: str, changes: Changes) -> bool:
        """False: one of the versions is not in the registry any more; its alias stays away."""
        whole = True
        for alias, version in changes.items():
            try:
                self._registry.set_aliases(model, {alias: version})
            except NotFound as error:
                whole = False
                log.warning("alias_without_version", model=model, alias=alias, error=str(error))
        return whole


def _ours(aliases: Mapping[str, int]) -> ProjectedAliases:
    return ProjectedAliases({alias: aliases[alias] for alias in ALIASES if alias in aliases})


def aliases_of(tx: DeployTransaction, model: str) -> dict[str, int]:
    """Alias -> version, as the tables say it."""
    champion = tx.champions.get(model)
    versions = tx.versions.of_model(model)
    serving = 0 if champion is None else champion.version
    deployment = None if champion is None else tx.deployments.get(champion.deployment_id)
    challenger = next((row.version for row in versions if row.version > serving and row.status != "refused" and row.quarantined is None), None)
    return wanted_aliases(serving or None, None if deployment is None else deployment.previous_version, challenger)
