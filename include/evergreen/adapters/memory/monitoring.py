"""The monitor's store without a database; what it observes is set by a test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from evergreen.adapters.memory.store import MemoryStore, MemoryTransaction
from evergreen.adapters.memory.tables import Tables
from evergreen.core.errors import Unavailable
from evergreen.core.traffic import Samples
from evergreen.ports.monitoring import Feed, LoopFigures, WatchRow
from evergreen.ports.storage import Lease


@dataclass
class MonitorTables(Tables):
    watches: dict[str, WatchRow] = field(default_factory=dict)


class MemoryWatches:
    def __init__(self, tables: MonitorTables) -> None:
        self._tables = tables

    def lock(self, name: str) -> WatchRow | None:
        return self._tables.watches.get(name)

    def put(self, row: WatchRow) -> None:
        self._tables.watches[row.name] = row

    def firing(self, prefix: str = "") -> list[WatchRow]:
        return [row for name, row in sorted(self._tables.watches.items()) if row.firing and name.startswith(prefix)]


@dataclass
class MemoryObservations:
    in_bake: str | None = None
    monitored: dict[str, datetime] = field(default_factory=dict)
    champions: list[str] = field(default_factory=list)
    known_feeds: list[Feed] = field(default_factory=list)
    numbers: LoopFigures = field(default_factory=LoopFigures)

    def version_in_bake(self) -> str | None:
        return self.in_bake

    def last_monitor_actions(self) -> Mapping[str, datetime]:
        return dict(self.monitored)

    def models_with_champion(self) -> Sequence[str]:
        return list(self.champions)

    def feeds(self) -> Sequence[Feed]:
        return list(self.known_feeds)

    def figures(self, now: datetime) -> LoopFigures:
        return self.numbers


class MemoryMonitorTransaction(MemoryTransaction):
    def __init__(self, tables: MonitorTables, observations: MemoryObservations) -> None:
        super().__init__(tables)
        self.watches = MemoryWatches(tables)
        self.observations = observations


class MemoryMonitorStore(MemoryStore):
    """It can be told to be away."""

    tables: MonitorTables

    def __init__(self) -> None:
        super().__init__()
        self.tables = MonitorTables()
        self.observed = MemoryObservations()
        self.away = False

    @contextmanager
    def transaction(self, lease: Lease | None = None) -> Iterator[MemoryMonitorTransaction]:
        if self.away:
            raise Unavailable("Postgres does not answer")
        with super().transaction(lease):
            yield MemoryMonitorTransaction(self.tables, self.observed)


@dataclass
class MemoryServingNumbers:
    """Answers what a test put there; away when it put nothing."""

    samples: Samples | None = None

    def read(self) -> Samples:
        if self.samples is None:
            raise Unavailable("serving does not answer")
        return dict(self.samples)
