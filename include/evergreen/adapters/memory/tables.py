"""What the in-memory twin of the database holds. Frozen rows in dictionaries: a copy of the dictionaries is a snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from evergreen.contracts.actions import PAUSABLE, Action, ActionStatus
from evergreen.core.canary import CanaryTally
from evergreen.core.champion import ProjectedAliases
from evergreen.core.experiment_verdict import Counts
from evergreen.ports.access import AccessChange, Account
from evergreen.ports.approvals import ApprovalRow
from evergreen.ports.champions import ChampionRow, DeploymentRow
from evergreen.ports.experiments import ExperimentRow
from evergreen.ports.messaging import Headers, Outgoing
from evergreen.ports.policy_records import Pause, ShadowRow
from evergreen.ports.records import AlertRow, DecisionRow, EventKey, EventRow, Trained
from evergreen.ports.storage import ActionRow
from evergreen.ports.versions import VersionRow

OPEN = frozenset({ActionStatus.PENDING, ActionStatus.CLAIMED, ActionStatus.RUNNING})
OUT = frozenset({ActionStatus.CLAIMED, ActionStatus.RUNNING})


@dataclass(frozen=True)
class StoredAction:
    action: Action
    key: str
    event_type: str
    accepted_at: datetime
    decision_seq: int | None
    status: ActionStatus
    attempts: int = 0
    token: int = 0
    run_id: str | None = None
    lease_until: datetime | None = None
    retry_at: datetime | None = None
    rung_at: datetime | None = None
    result: Mapping[str, Any] | None = None
    error: str | None = None
    released: bool = True

    def row(self) -> ActionRow:
        return ActionRow(
            **{name: getattr(self, name) for name in ("action", "event_type", "status", "accepted_at", "attempts", "token", "run_id", "result", "error")},
            action_key=self.key,
        )


@dataclass(frozen=True)
class StoredMessage:
    seq: int
    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    event_id: str | None
    sent_at: datetime | None = None

    def outgoing(self) -> Outgoing:
        return Outgoing(self.seq, self.topic, self.key, self.value, self.headers)


@dataclass
class Tables:
    actions: dict[UUID, StoredAction] = field(default_factory=dict)
    """In the order they were made."""
    outbox: dict[int, StoredMessage] = field(default_factory=dict)
    last_message: int = 0
    events: dict[EventKey, EventRow] = field(default_factory=dict)
    decisions: dict[tuple[str, int], DecisionRow] = field(default_factory=dict)
    alerts: dict[UUID, AlertRow] = field(default_factory=dict)
    timers: dict[tuple[str, str], datetime] = field(default_factory=dict)
    policies: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """In the order they were activated."""
    approvals: dict[tuple[UUID, int], ApprovalRow] = field(default_factory=dict)
    champions: dict[str, Trained] = field(default_factory=dict)
    """Set by a test: training has no twin here."""
    not_stable: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Set by a test, likewise."""
    versions: dict[tuple[str, int], VersionRow] = field(default_factory=dict)
    champion_rows: dict[str, ChampionRow] = field(default_factory=dict)
    deployments: dict[UUID, DeploymentRow] = field(default_factory=dict)
    """In the order they were started."""
    projected_aliases: dict[str, ProjectedAliases] = field(default_factory=dict)
    workers: dict[str, datetime] = field(default_factory=dict)
    """Serving worker -> its last heartbeat, wall time. Set by a test, as what they say is."""
    acks: dict[tuple[str, UUID, str], str] = field(default_factory=dict)
    """(worker, deployment, phase) -> detail."""
    canary_tallies: dict[tuple[UUID, str], CanaryTally] = field(default_factory=dict)
    """By deployment and worker."""
    pauses: dict[int, Pause] = field(default_factory=dict)
    shadow_policies: dict[str, tuple[Mapping[str, Any], bool]] = field(default_factory=dict)
    """Body, and whether it decides now."""
    shadow_decisions: dict[tuple[str, str, str, str], ShadowRow] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    access_changes: list[AccessChange] = field(default_factory=list)
    experiments: dict[str, ExperimentRow] = field(default_factory=dict)
    asked: dict[str, bool] = field(default_factory=dict)
    """Experiments whose versions are to be judged again, and it was said."""
    counted: dict[str, list[Counts]] = field(default_factory=dict)
    """By experiment."""
    revocations: dict[tuple[str, str], tuple[datetime, datetime]] = field(default_factory=dict)
    """(token or subject, id) -> since when, until when."""
    keyed_requests: dict[UUID, Any] = field(default_factory=dict)
    """As `memory.keyed_requests` keeps them."""

    @property
    def paused(self) -> bool:
        return bool(self.pauses) and self.pauses[max(self.pauses)].paused

    def holds(self, one: StoredAction) -> bool:
        """The kill switch does; what a person asked for goes on."""
        return self.paused and one.status is ActionStatus.PENDING and one.action.kind in PAUSABLE and one.event_type != "manual"

    def copy(self) -> Tables:
        return replace(self, **self._dictionaries())

    def restore(self, earlier: Tables) -> None:
        vars(self).update(vars(earlier.copy()))

    def _dictionaries(self) -> dict[str, Any]:
        return {name: dict(value) for name, value in vars(self).items() if isinstance(value, dict)}
