"""What the monitor remembers, what it asks the records, and what it reads of serving."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Protocol

from evergreen.contracts.actions import SeverityWord
from evergreen.core.traffic import Samples
from evergreen.ports.records import Alerts
from evergreen.ports.storage import Lease, Transaction


@dataclass(frozen=True)
class WatchRow:
    """What was last said about one watched thing."""

    name: str
    """`health:redis`, `rule:high_error_rate`, `overload:serving`, `batch:videos.KR:2026-01-31`."""
    firing: bool
    severity: SeverityWord
    said: int
    """How often something was said: what makes the next event's id."""
    said_at: datetime
    """Wall time."""
    alerted: bool = False
    """Its alert was recorded by the monitor itself."""


class Watches(Protocol):
    """Table `watches`."""

    def lock(self, name: str) -> WatchRow | None:
        """The row, and nobody else decides about this name until the transaction ends."""

    def put(self, row: WatchRow) -> None: ...

    def firing(self, prefix: str = "") -> Sequence[WatchRow]:
        """By name."""


@dataclass(frozen=True)
class Feed:
    """A dataset that had a batch: since when, and the newest days its batches covered."""

    dataset: str
    first_taken_in: datetime
    """Platform time."""
    covered: Sequence[tuple[date, date]]


@dataclass(frozen=True)
class LedgerFigures:
    """What a model's retrains came to: all of them, and what the closed entries of the ledger say."""

    retrains: int
    cost_seconds: float
    closed: int
    realised: float | None
    """Mean relative drop against the champions before; below zero the retrains were worth it. None: nothing was compared yet."""
    avoided: float
    """Loss avoided, summed over the rows, in the metric's units."""


@dataclass(frozen=True)
class LoopFigures:
    """The control loop in numbers. Counts are of the last day of platform time."""

    events: Mapping[str, int] = field(default_factory=dict)
    """By type."""
    decisions: Mapping[str, int] = field(default_factory=dict)
    """By outcome."""
    actions: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """By (kind, status)."""
    unsent: int = 0
    oldest_unsent: timedelta = timedelta()
    dead_letters: int = 0
    """Not sent back yet; of those the outbox still holds."""
    receive_p99: float | None = None
    """Seconds from production to receipt, of the newest events."""
    decide_p99: float | None = None
    """Seconds from receipt to the recorded decision."""
    answers: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(action, outcome) -> how often, among the newest thousand decisions."""
    stopped: Mapping[str, int] = field(default_factory=dict)
    """Guard -> what it stopped or put off, among them."""
    ledger: Mapping[str, LedgerFigures] = field(default_factory=dict)
    """By model, since ever."""


class Observations(Protocol):
    """Read by the monitor across tables; changes nothing."""

    def version_in_bake(self) -> str | None:
        """`name@N` of the youngest champion that is not stable yet."""

    def last_monitor_actions(self) -> Mapping[str, datetime]:
        """Model -> platform time its newest `monitor` action was accepted."""

    def models_with_champion(self) -> Sequence[str]: ...

    def feeds(self) -> Sequence[Feed]: ...

    def figures(self, now: datetime) -> LoopFigures: ...


class MonitorTransaction(Transaction, Protocol):
    @property
    def alerts(self) -> Alerts: ...
    @property
    def watches(self) -> Watches: ...
    @property
    def observations(self) -> Observations: ...


class MonitorStore(Protocol):
    def transaction(self, lease: Lease | None = None) -> AbstractContextManager[MonitorTransaction]: ...


ServiceReadings = dict[str, tuple[float | None, float | None]]
"""Name of a number -> its newest value, and the mean of the minutes before it; None: not measured."""


class ServingNumbers(Protocol):
    def read(self) -> Samples:
        """Serving's metrics, all workers added up. Raises Unavailable."""
