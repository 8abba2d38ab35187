"""Tables `champions`, `deployments`, `serving_workers`, `worker_acks`: who serves, since when, and which servers said so; and `projected_aliases`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from evergreen.core.canary import CanaryTally
from evergreen.core.champion import ProjectedAliases, WorkerView

DeploymentKind = Literal["promote", "rollback", "revert"]
DeploymentStatus = Literal["preparing", "canary", "flipped", "confirmed", "cancelled", "reverted"]


@dataclass(frozen=True)
class ChampionRow:
    model: str
    version: int
    epoch: int
    deployment_id: UUID
    since: datetime

    @property
    def name(self) -> str:
        return f"{self.model}@{self.version}"


@dataclass(frozen=True)
class DeploymentRow:
    id: UUID
    model: str
    version: int
    previous_version: int | None
    kind: DeploymentKind
    status: DeploymentStatus
    epoch: int
    """The champion's epoch this deployment makes (or made): one above the one it was planned on."""
    action_id: UUID | None
    forced: bool
    reason: str
    required_workers: tuple[str, ...] = ()
    """Those that had prepared when the champion was flipped."""
    created_at: datetime | None = None
    served_from: datetime | None = None
    served_to: datetime | None = None
    stable_from: datetime | None = None
    error: str | None = None
    canary_share: float | None = None
    """None: it took over without a canary."""
    canary_from: datetime | None = None
    """Wall time."""
    canary_verdict: str | None = None

    @property
    def name(self) -> str:
        return f"{self.model}@{self.version}"


class Champions(Protocol):
    def get(self, model: str) -> ChampionRow | None: ...

    def lock(self, model: str) -> ChampionRow | None:
        """As `get`, and nobody else changes this model's champion or deployments until this transaction ends."""

    def all(self) -> Sequence[ChampionRow]: ...

    def compare_and_set(self, model: str, version: int, *, seen_epoch: int, deployment_id: UUID, since: datetime) -> bool:
        """Epoch + 1. False when the epoch is no longer `seen_epoch` (0: there was no champion): somebody else was first."""


class Deployments(Protocol):
    def open_of(self, model: str) -> DeploymentRow | None:
        """The one that is preparing, a canary or flipped: at most one per model."""

    def get(self, deployment_id: UUID) -> DeploymentRow | None: ...

    def history(self, model: str) -> Sequence[DeploymentRow]:
        """Newest first."""

    def start(self, row: DeploymentRow) -> None: ...

    def begin_canary(self, deployment_id: UUID, share: float) -> None:
        """Status canary, from now on."""

    def canary_tally(self, deployment_id: UUID) -> CanaryTally:
        """Of all workers that answered, dead ones included."""

    def end_canary(self, deployment_id: UUID, verdict: str) -> None:
        """The verdict; the status stays."""

    def flipped(self, deployment_id: UUID, workers: Sequence[str], served_from: datetime) -> None:
        """Status flipped; the one that served before served until `served_from`."""

    def confirmed(self, deployment_id: UUID) -> None: ...

    def closed(self, deployment_id: UUID, status: Literal["cancelled", "reverted"], error: str, served_to: datetime | None = None) -> None: ...

    def mark_stable(self, deployment_id: UUID, since: datetime) -> None: ...

    def workers(self, deployment_id: UUID, live_seconds: float) -> Sequence[WorkerView]:
        """Every worker whose heartbeat is younger than `live_seconds` and that is not draining, with what it said of this deployment."""


class AliasProjections(Protocol):
    def hold(self, model: str) -> None:
        """Nobody else projects this model's aliases until this transaction ends."""

    def get(self, model: str) -> ProjectedAliases | None:
        """None: never projected."""

    def put(self, model: str, aliases: ProjectedAliases) -> None: ...
