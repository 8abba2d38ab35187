"""What intake and the tick write and read beside the work list: events, decisions, history, alerts, timers, policies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from evergreen.contracts.actions import Action, ActionKind, Cause
from evergreen.contracts.envelope import Event
from evergreen.core.concerns import Catalogue
from evergreen.core.decision import GENESIS, Absorption
from evergreen.core.state import State
from evergreen.ports.alerts import AlertRow as AlertRow
from evergreen.ports.alerts import Alerts as Alerts
from evergreen.ports.policy_records import Pauses, ShadowRow, Shadows
from evergreen.ports.storage import Lease, Transaction

EventKey = tuple[str, str]
"""(source, id): what makes handling idempotent."""


@dataclass(frozen=True)
class EventRow:
    event: Event
    content_hash: str
    received_at: datetime
    produced_at: datetime | None = None
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None

    @property
    def key(self) -> EventKey:
        return (self.event.source, self.event.id)


@dataclass(frozen=True)
class Head:
    """The end of a model's chain of decisions."""

    seq: int = 0
    hash: str = GENESIS


@dataclass(frozen=True)
class DecisionRow:
    model: str
    seq: int
    event_source: str
    event_id: str
    event_type: str
    policy_hash: str
    decided_at: datetime
    severity: str
    rule: str
    outcome: str
    body: str
    prev_hash: str
    hash: str


@dataclass(frozen=True)
class NewAction:
    action: Action
    key: str
    event_type: str
    accepted_at: datetime
    decision_seq: int
    done: Mapping[str, Any] | None = None
    """Its result, when it was carried out where it was decided."""


@dataclass(frozen=True)
class Absorbed:
    absorption: Absorption
    causes: tuple[Cause, ...]


class EventLog(Protocol):
    def known(self, keys: Sequence[EventKey]) -> Mapping[EventKey, str]:
        """Content hash of those that were recorded before."""

    def record(self, rows: Sequence[EventRow]) -> int:
        """Returns how many were new."""

    def find(self, event_id: str) -> list[EventRow]: ...

    def seq(self) -> int:
        """Of the newest event; 0 when there is none."""


class DecisionLog(Protocol):
    def lock(self, models: Sequence[str]) -> None:
        """Until the transaction ends, nobody else decides for these models. In sorted order, so that two copies never wait for each other."""

    def heads(self, models: Sequence[str]) -> Mapping[str, Head]: ...

    def append(self, rows: Sequence[DecisionRow]) -> None: ...

    def of_event(self, source: str, event_id: str) -> list[DecisionRow]: ...

    def at(self, model: str, seq: int) -> DecisionRow | None: ...

    def models(self) -> list[str]: ...

    def chain(self, model: str) -> Iterator[DecisionRow]:
        """All of a model, by seq."""

    def recorded(self, since: datetime | None = None, until: datetime | None = None) -> Iterator[tuple[DecisionRow, Mapping[str, Any]]]:
        """Decisions of [since, until) by platform time, in the order the events were taken in; each with the fields of its event as the
        row has them, since whoever asks may ask whether somebody changed them."""


class History(Protocol):
    def states(self, models: Sequence[str], catalogue: Catalogue, event_types: Sequence[str], now: datetime) -> dict[str, State]:
        """What decisions on events of these types may look at, from the recorded rows."""

    def caused_by(self, event_id: str) -> list[UUID]:
        """Actions an event led to or was absorbed by, oldest first."""

    def typical_durations(self) -> Mapping[ActionKind, timedelta]:
        """Median wall time from claim to end of those that succeeded, by kind."""


class PlannedActions(Protocol):
    def insert(self, rows: Sequence[NewAction], *, rung: bool) -> None:
        """Those that are not rung wait to be released. Those whose key is there already (a repeated decision) are left alone."""

    def hold_claims(self, kinds: Iterable[ActionKind]) -> None:
        """Until the transaction ends, nobody claims an action of these kinds: a claim waits instead of passing over a row that is being changed."""

    def absorb(self, row: Absorbed, *, accepted_at: datetime | None) -> bool:
        """False when the action is no longer in the status it was decided in."""

    def release(self, action_ids: Sequence[UUID]) -> None:
        """They waited for their time and were decided again: from now on a run may claim them. Counts as rung."""

    def cancel(self, action_id: UUID, error: str) -> bool:
        """False when the action no longer waits."""


class Timers(Protocol):
    def last(self) -> Mapping[tuple[str, str], datetime]:
        """(timer, model) -> when it was last due."""

    def set(self, timer: str, model: str, last_due: datetime) -> None: ...

    def champions(self, catalogue: Catalogue) -> Mapping[str, Trained]:
        """Models that have a champion, and what it and its successors were trained on."""


@dataclass(frozen=True)
class Trained:
    """Days of data, both ends inclusive."""

    champion_days: int
    longest_days: int
    """Of any version since the champion, refused ones too: what was tried already."""
    available_days: int
    """From the first day of the champion's training to the newest processed one."""


class Policies(Protocol):
    def active(self) -> tuple[str, Mapping[str, Any]] | None:
        """Hash and body of the one activated last."""

    def activate(self, policy_hash: str, body: Mapping[str, Any]) -> str | None:
        """Returns the hash it takes over from; None when it is the active one already (or the first)."""

    def bodies(self) -> Mapping[str, Mapping[str, Any]]:
        """Every policy that was ever active, by hash."""


@dataclass(frozen=True)
class Work:
    """What is under way, as far as the database knows."""

    undecided: int
    """Events without a decision."""
    unsent: int
    due: int
    out: int
    """Claimed or running."""
    next_due: datetime | None
    """Of the pending actions that are not due yet."""
    mark: tuple[int, int]
    """Newest event and outbox row: unchanged between two looks means that nothing was written."""


class WorkInHand(Protocol):
    def count(self, now: datetime) -> Work: ...


class RecordTransaction(Transaction, Protocol):
    @property
    def events(self) -> EventLog: ...
    @property
    def decisions(self) -> DecisionLog: ...
    @property
    def history(self) -> History: ...
    @property
    def planned(self) -> PlannedActions: ...
    @property
    def alerts(self) -> Alerts: ...
    @property
    def timers(self) -> Timers: ...
    @property
    def policies(self) -> Policies: ...
    @property
    def pauses(self) -> Pauses: ...
    @property
    def shadows(self) -> Shadows: ...
    @property
    def work(self) -> WorkInHand: ...

    def savepoint(self) -> AbstractContextManager[None]:
        """What fails inside is undone alone. Raises Unavailable, and nothing else, for what is the database's fault."""


class RecordStore(Protocol):
    def transaction(self, lease: Lease | None = None) -> AbstractContextManager[RecordTransaction]: ...


@dataclass
class Plan:
    """Everything one batch writes."""

    events: list[EventRow] = field(default_factory=list)
    decisions: list[DecisionRow] = field(default_factory=list)
    actions: dict[UUID, NewAction] = field(default_factory=dict)
    absorbed: dict[UUID, Absorbed] = field(default_factory=dict)
    released: list[UUID] = field(default_factory=list)
    """They waited for their time, and it has come."""
    cancelled: dict[UUID, str] = field(default_factory=dict)
    """They waited, and a guard stopped them; with its reason."""
    shadows: list[ShadowRow] = field(default_factory=list)
    alerts: list[AlertRow] = field(default_factory=list)
