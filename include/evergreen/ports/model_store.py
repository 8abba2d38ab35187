"""The store as the steps from training to rollback see it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from evergreen.ports.alerts import Alerts
from evergreen.ports.champions import AliasProjections, Champions, Deployments
from evergreen.ports.drift_profiles import ReferenceProfiles
from evergreen.ports.ledger import Ledger
from evergreen.ports.performance import Performance
from evergreen.ports.shadow_trials import ShadowTrials
from evergreen.ports.storage import Lease, Transaction
from evergreen.ports.traffic import RecordedTraffic
from evergreen.ports.versions import ChangePoints, Versions


class DeployTransaction(Transaction, Protocol):
    """All that changing the champion takes."""

    @property
    def versions(self) -> Versions: ...
    @property
    def champions(self) -> Champions: ...
    @property
    def deployments(self) -> Deployments: ...
    @property
    def projected_aliases(self) -> AliasProjections: ...
    @property
    def alerts(self) -> Alerts: ...


class ModelTransaction(DeployTransaction, Protocol):
    @property
    def change_points(self) -> ChangePoints: ...
    @property
    def shadow_trials(self) -> ShadowTrials: ...
    @property
    def performance(self) -> Performance: ...
    @property
    def traffic(self) -> RecordedTraffic: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def reference_profiles(self) -> ReferenceProfiles: ...


class DeployStore(Protocol):
    def transaction(self, lease: Lease | None = None) -> AbstractContextManager[DeployTransaction]: ...


class ModelStore(Protocol):
    def transaction(self, lease: Lease | None = None) -> AbstractContextManager[ModelTransaction]: ...
