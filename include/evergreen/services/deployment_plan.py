"""What a deployment is to do, before anything is changed: its plan, its row, and what is said of it in the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import uuid6

from evergreen.contracts.events import ModelDeployed
from evergreen.core.champion import Agreement
from evergreen.ports.champions import ChampionRow, DeploymentKind, DeploymentRow
from evergreen.ports.model_store import DeployTransaction
from evergreen.ports.storage import ClaimedAction
from evergreen.services.version_names import version_name


@dataclass(frozen=True)
class Plan:
    """What to deploy. Made while nobody else can change the champion."""

    version: int
    kind: DeploymentKind
    reason: str
    forced: bool = False


@dataclass(frozen=True)
class NothingToDo:
    """What was asked for is so already, or is no longer to be done."""

    reason: str


PlanOf = Callable[[DeployTransaction, ChampionRow | None], Plan | NothingToDo]
"""Raises DeploymentRefused, NotFound."""


def planned(claimed: ClaimedAction, champion: ChampionRow | None, plan: Plan) -> DeploymentRow:
    return DeploymentRow(
        id=UUID(str(uuid6.uuid7())),
        model=claimed.action.model,
        version=plan.version,
        previous_version=None if champion is None else champion.version,
        kind=plan.kind,
        status="preparing",
        epoch=(0 if champion is None else champion.epoch) + 1,
        action_id=claimed.action.id,
        forced=plan.forced,
        reason=plan.reason,
    )


def reverting(row: DeploymentRow, error: str) -> DeploymentRow:
    """Of one that was not confirmed: back to the version before, under a new epoch."""
    if row.previous_version is None:
        raise ValueError(f"there was no version before {row.name}")
    return DeploymentRow(
        id=UUID(str(uuid6.uuid7())),
        model=row.model,
        version=row.previous_version,
        previous_version=row.version,
        kind="revert",
        status="preparing",
        epoch=row.epoch + 1,
        action_id=row.action_id,
        forced=False,
        reason=error,
    )


def deployed_event(row: DeploymentRow, serving: Agreement) -> ModelDeployed:
    return ModelDeployed(
        model_name=row.model,
        model_version=row.name,
        previous_version=version_name(row.model, row.previous_version),
        epoch=row.epoch,
        kind=row.kind,
        forced=row.forced,
        reason=row.reason,
        confirmed_by=serving.agreed,
    )
