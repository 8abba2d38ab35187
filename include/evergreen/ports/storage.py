"""Durable state. A `Store` opens transactions; a transaction offers one repository per table family.

Guarantee: everything done in one `with store.transaction(...)` block is written together or not at all. Opened with a lease, it
raises Fenced unless the lease still owns its action, and keeps the action's row locked to the end: a zombie run that wakes up
after its lease went to another can write nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from evergreen.contracts.actions import Action, ActionKind, ActionStatus
from evergreen.contracts.envelope import Event
from evergreen.ports.messaging import Headers, Outgoing

MAX_ATTEMPTS = 3
"""Claims of one action; after the last failed one it is given up."""


@dataclass(frozen=True)
class Lease:
    """A run's right to carry an action out: valid while the row holds this token."""

    action_id: UUID
    token: int
    run_id: str


@dataclass(frozen=True)
class ClaimedAction:
    action: Action
    lease: Lease
    attempts: int
    """1 on the first claim."""


@dataclass(frozen=True)
class ActionRow:
    """An action with its fate, for guards, the tick, explanations and tests."""

    action: Action
    action_key: str
    event_type: str
    status: ActionStatus
    accepted_at: datetime
    attempts: int
    token: int
    run_id: str | None
    result: Mapping[str, Any] | None
    error: str | None


class ActionQueue(Protocol):
    """Table `actions`, the work list."""

    def insert(self, action: Action, *, key: str, event_type: str, accepted_at: datetime, decision_seq: int | None = None) -> bool:
        """False when the key is there already (a repeated decision)."""

    def record_done(self, action: Action, *, key: str, event_type: str, accepted_at: datetime, decision_seq: int | None, result: Mapping[str, Any]) -> bool:
        """Insert an action carried out where it was decided (alert, monitor) as succeeded."""

    def claim(self, kind: ActionKind, run_id: str, now: datetime, lease_for: timedelta, action_id: UUID | None = None) -> ClaimedAction | None:
        """The next due action of the kind (high priority, then oldest due), or the one this run holds already, or the named one.
        At most one action per (kind, model) is out at a time. None: nothing to do."""

    def renew(self, lease: Lease, lease_for: timedelta) -> bool:
        """False: the lease went to another run."""

    def start(self, lease: Lease) -> None: ...

    def finish(self, lease: Lease, status: ActionStatus, *, result: Mapping[str, Any] | None = None, error: str | None = None) -> None: ...

    def retry_later(self, lease: Lease, *, error: str, wait: timedelta) -> None:
        """Back to pending after a failed attempt."""

    def put_off(self, lease: Lease, *, until: datetime, why: str) -> None:
        """Back to pending, as if never tried, for what it needs is not there yet: due then, by platform time, and looking at what is known then."""

    def get(self, action_id: UUID) -> ActionRow | None: ...

    def open_of(self, kind: ActionKind, model: str) -> list[ActionRow]:
        """Those of a kind and model that have not ended, in the order they come due."""

    def expire_leases(self) -> list[ActionRow]:
        """Actions whose lease ran out, back to pending; those whose attempts are used up stay for `give_up`."""

    def due(self, now: datetime, kind: ActionKind | None = None, rung_before: timedelta | None = None) -> list[ActionRow]:
        """Pending, released, due by platform time `now`, retry time reached; with `rung_before`, only those whose doorbell was last rung longer ago."""

    def quiet(self, now: datetime, rung_before: timedelta) -> list[ActionRow]:
        """Of each kind and model the first that is due, released or not, if its doorbell was last rung longer ago (or never)."""

    def out(self) -> set[tuple[ActionKind, str]]:
        """Kind and model of those claimed or running."""

    def mark_rung(self, action_ids: Sequence[UUID]) -> None: ...

    def mark_all_rung(self, kind: ActionKind, model: str, now: datetime) -> None:
        """Every due one of a kind and model: a run that ends rings for the next."""


class Outbox(Protocol):
    """Everything inside publishes through here; the relay sends it after the commit, at least once, in order per key."""

    def publish(self, event: Event) -> None:
        """Once per event id."""

    def publish_all(self, events: Sequence[Event]) -> None: ...

    def ring(self, action_id: UUID) -> bool:
        """Send the action's `action_requested` again, byte for byte (same event id, so intake takes it for the duplicate it is).
        False when it was never sent: a scheduled action's is published when it becomes due."""

    def dead_letter(self, key: bytes | None, value: bytes | None, headers: Mapping[str, str], original: Headers = (), letter_id: str | None = None) -> None:
        """The message as it came (key, value, its own headers), with ours after them. Once per `letter_id`."""

    def unsent(self, limit: int) -> list[Outgoing]:
        """Oldest first."""

    def mark_sent(self, seqs: Sequence[int]) -> None: ...

    def replace_value(self, seq: int, value: bytes, headers: Headers) -> None:
        """For a message the broker will never take as it is."""

    def prune(self, keep: timedelta) -> int:
        """Remove what was sent longer ago than `keep`, except the requests of open actions; returns how many."""


class Transaction(Protocol):
    @property
    def actions(self) -> ActionQueue: ...
    @property
    def outbox(self) -> Outbox: ...


class Store(Protocol):
    def transaction(self, lease: Lease | None = None) -> AbstractContextManager[Transaction]: ...
