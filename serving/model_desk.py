"""Versions, their verdicts and their worth, and changes of who serves, for the routes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from evergreen.contracts.actions import Action
from evergreen.contracts.api_models import ChangePreview, LedgerPage, VersionPage, VersionReport, VersionSummary
from evergreen.core.clock import Clock
from evergreen.core.errors import NotFound
from evergreen.ports.model import ModelSpec
from evergreen.ports.model_store import DeployStore
from evergreen.ports.registry import ModelRegistry
from evergreen.services.change_by_hand import Change, ChangeByHand
from evergreen.services.deployment_plan import NothingToDo, Plan
from evergreen.services.ledger import ShowLedger
from evergreen.services.preview_change import PreviewChange
from evergreen.services.retrain_report import RetrainReports
from evergreen.services.rollback import planned_rollback
from evergreen.services.show_models import ShowModels
from serving.own_store import OwnStore

T = TypeVar("T")


class ModelDesk:
    """Every call raises NotFound and Unavailable."""

    def __init__(self, stores: OwnStore, clock: Clock, registry: ModelRegistry, specs: Mapping[str, ModelSpec], min_confirmations: int) -> None:
        self._stores = stores
        self._clock = clock
        self._registry = registry
        self._specs = specs
        self._min_confirmations = min_confirmations

    async def versions(self, model: str, limit: int, before: int | None) -> VersionPage:
        rows, following = await self._shown(lambda shown: shown.versions(model, limit, before))
        return VersionPage(model=model, versions=[VersionSummary(**_named(row, VersionSummary)) for row in rows], next_before=following)

    async def version(self, model: str, number: int) -> VersionReport:
        found = await self._shown(lambda shown: shown.report(f"{model}@{number}"))
        card = found["scorecard"] or {}
        window = card.get("window")
        days = None if window is None else [window["first_day"], window["last_day"]]
        return VersionReport(**_named({**found, "gates": card.get("gates", []), "window": days}, VersionReport))

    async def report(self, model: str, number: int) -> bytes:
        """The page MLflow keeps as report.html."""
        self._spec(model)
        return await self._stores.use(lambda store: RetrainReports(store, self._registry, self._spec).html(f"{model}@{number}"))

    async def ledger(self, model: str) -> LedgerPage:
        self._spec(model)
        found = await self._stores.use(lambda store: ShowLedger(store, self._specs).run(model, self._clock.now()))
        return LedgerPage.model_validate(found)

    async def preview(self, change: Change) -> ChangePreview:
        """Raises InvalidRequest, too."""
        return ChangePreview.model_validate(await self._by_hand(lambda hand: hand.preview(change)))

    async def ask(self, change: Change, *, who: str, key: str) -> str:
        """The action's id. Raises InvalidRequest, KeyReused, DeploymentRefused, too."""
        return str((await self._by_hand(lambda hand: hand.ask_if_allowed(change, who=who, key=key))).id)

    async def _shown(self, ask: Callable[[ShowModels], T]) -> T:
        return await self._stores.use(lambda store: ask(ShowModels(store, self._registry, self._specs)))

    async def _by_hand(self, ask: Callable[[ChangeByHand], T]) -> T:
        return await self._stores.use(lambda store: ask(self._change_by_hand(store)))

    def _change_by_hand(self, store: DeployStore) -> ChangeByHand:
        """By what is recorded: whether an old version still loads is found out by the run, which passes over those that do not."""

        def planned(action: Action) -> Plan | NothingToDo:
            with store.transaction() as tx:
                return planned_rollback(tx, tx.champions.get(action.model), action, {})

        preview = PreviewChange(store, self._clock, planned, min_confirmations=self._min_confirmations)
        return ChangeByHand(store, self._clock, self._specs, preview)

    def _spec(self, model: str) -> ModelSpec:
        if model not in self._specs:
            raise NotFound(f"no model {model!r}; known: {', '.join(self._specs)}")
        return self._specs[model]


def _named(row: Mapping[str, Any], contract: type[VersionSummary]) -> dict[str, Any]:
    return {name: row[name] for name in contract.model_fields}
