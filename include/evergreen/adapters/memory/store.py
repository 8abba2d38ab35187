"""The store without a database, for tests: one transaction at a time, undone as a whole. It runs the same suite as Postgres."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from evergreen.adapters.memory.access import MemoryAccessChanges, MemoryAccounts, MemoryRevocations
from evergreen.adapters.memory.actions import MemoryActions, MemoryPlannedActions
from evergreen.adapters.memory.approvals import MemoryApprovals
from evergreen.adapters.memory.deployments import MemoryChampions, MemoryDeployments, MemoryProjectedAliases, MemoryVersions
from evergreen.adapters.memory.event_archive import MemoryEventArchive
from evergreen.adapters.memory.experiments import MemoryExperiments
from evergreen.adapters.memory.explanations import MemoryExplanations
from evergreen.adapters.memory.history import MemoryHistory
from evergreen.adapters.memory.keyed_requests import MemoryKeyedRequests
from evergreen.adapters.memory.outbox import MemoryOutbox
from evergreen.adapters.memory.records import (
    MemoryAlerts,
    MemoryDecisions,
    MemoryEvents,
    MemoryPauses,
    MemoryPolicies,
    MemoryShadows,
    MemoryTimers,
    MemoryWork,
)
from evergreen.adapters.memory.tables import OUT, Tables
from evergreen.core.errors import Fenced
from evergreen.ports.storage import Lease


class MemoryTransaction:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.actions = MemoryActions(tables)
        self.planned = MemoryPlannedActions(tables)
        self.outbox = MemoryOutbox(tables)
        self.events = MemoryEvents(tables)
        self.decisions = MemoryDecisions(tables)
        self.history = MemoryHistory(tables)
        self.alerts = MemoryAlerts(tables)
        self.timers = MemoryTimers(tables)
        self.policies = MemoryPolicies(tables)
        self.pauses = MemoryPauses(tables)
        self.shadows = MemoryShadows(tables)
        self.work = MemoryWork(tables)
        self.approvals = MemoryApprovals(tables)
        self.explanations = MemoryExplanations(tables)
        self.experiments = MemoryExperiments(tables)
        self.archive = MemoryEventArchive(tables)
        self.accounts = MemoryAccounts(tables)
        self.access_changes = MemoryAccessChanges(tables)
        self.revocations = MemoryRevocations(tables)
        self.keyed_requests = MemoryKeyedRequests(tables)
        self.versions = MemoryVersions(tables)
        self.champions = MemoryChampions(tables)
        self.deployments = MemoryDeployments(tables)
        self.projected_aliases = MemoryProjectedAliases(tables)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        before = self._tables.copy()
        try:
            yield
        except BaseException:
            self._tables.restore(before)
            raise


class MemoryStore:
    def __init__(self) -> None:
        self.tables = Tables()
        self._lock = threading.RLock()

    @contextmanager
    def transaction(self, lease: Lease | None = None) -> Iterator[MemoryTransaction]:
        with self._lock:
            before = self.tables.copy()
            if lease is not None:
                held = self.tables.actions.get(lease.action_id)
                if held is None or held.token != lease.token or held.status not in OUT:
                    raise Fenced(f"action {lease.action_id} is no longer this run's (token {lease.token})")
            try:
                yield MemoryTransaction(self.tables)
            except BaseException:
                self.tables.restore(before)
                raise
