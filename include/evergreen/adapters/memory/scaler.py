"""A scaler without processes, and the store that remembers what scale actions decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from uuid import UUID

from evergreen.adapters.memory.store import MemoryStore, MemoryTransaction
from evergreen.adapters.memory.tables import OPEN, Tables
from evergreen.core.errors import EvergreenError, Fenced
from evergreen.core.scaling import Bounds
from evergreen.ports.scaler import Scale, Scaling, bounds_of, checked
from evergreen.ports.storage import Lease


@dataclass
class MemoryScaler:
    """Every worker runs at once, unless a test says otherwise."""

    scaled: Mapping[str, Bounds]
    counts: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)
    missing: int = 0
    """Workers that do not come up."""
    fault: EvergreenError | None = None
    """Raised by the next call."""

    def current(self, service: str) -> Scale:
        bounds = bounds_of(service, self.scaled)
        self._break()
        wanted = self.counts.get(service, bounds.minimum)
        return Scale(wanted - self.missing, wanted, bounds.minimum, bounds.maximum)

    def set(self, service: str, number: int) -> None:
        checked(service, number, self.scaled)
        self._break()
        self.asked.append((service, number))
        self.counts[service] = number

    def _break(self) -> None:
        if self.fault is not None:
            fault, self.fault = self.fault, None
            raise fault


class MemoryScalings:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def of(self, action_id: UUID) -> Scaling | None:
        found = self._tables.actions.get(action_id)
        return Scaling(**found.result) if found is not None and found.status in OPEN and found.result else None

    def decide(self, lease: Lease, scaling: Scaling) -> None:
        found = self._tables.actions.get(lease.action_id)
        if found is None or found.token != lease.token:
            raise Fenced(f"action {lease.action_id} is no longer this run's (token {lease.token})")
        self._tables.actions[lease.action_id] = replace(found, result=asdict(scaling))


class MemoryScalingTransaction(MemoryTransaction):
    def __init__(self, tables: Tables) -> None:
        super().__init__(tables)
        self.scalings = MemoryScalings(tables)


class MemoryScalingStore(MemoryStore):
    @contextmanager
    def transaction(self, lease: Lease | None = None) -> Iterator[MemoryScalingTransaction]:
        with super().transaction(lease):
            yield MemoryScalingTransaction(self.tables)
