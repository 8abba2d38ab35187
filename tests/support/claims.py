"""Actions put into the work list and claimed, as the policy and a run would do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from evergreen.adapters.postgres.clock import PlatformClock
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.contracts.actions import NO_MODEL, Action, ActionKind
from evergreen.contracts.envelope import Event, decode
from evergreen.core.clock import Clock
from evergreen.ports.storage import ClaimedAction
from evergreen.services.carry_out import CarryOut


def claimed(
    store: PostgresStore,
    clock: Clock,
    kind: ActionKind,
    params: Mapping[str, Any],
    *,
    model: str = NO_MODEL,
    target: str = NO_MODEL,
    as_of: datetime | None = None,
) -> ClaimedAction:
    now = clock.now()
    action = Action(id=uuid4(), kind=kind, model=model, target=target, params=dict(params), reason="test", due_at=now, as_of=as_of or now)
    with store.transaction() as tx:
        tx.actions.insert(action, key=str(action.id), event_type="test", accepted_at=now)
    claim = CarryOut(store, clock).claim(kind, f"run-{action.id}", action.id)
    assert claim is not None
    return claim


def said(store: PostgresStore, source: str) -> list[Event]:
    """What actions of one kind (`/airflow/ingest`) said through the outbox, in order, without their `action_completed`."""
    with store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute("SELECT value FROM outbox WHERE event_id IS NOT NULL ORDER BY seq")
        events = [decode(bytes(value)) for (value,) in cursor.fetchall()]
    return [event for event in events if event.source == source and event.type != "action_completed"]


def emptied(store: PostgresStore) -> PostgresStore:
    """The same database with nothing in it, on the wall clock: tests that share a server see neither each other's rows nor each other's time."""
    with store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace AND NOT relispartition")
        tables = {name for (name,) in cursor.fetchall()} - {"alembic_version", "platform_clock"}
        for name in ("worker_acks", "decisions"):  # they point at others
            cursor.execute(f"DELETE FROM {name}")
        for name in sorted(tables - {"worker_acks", "decisions"}):
            cursor.execute(f"DELETE FROM {name}")
    PlatformClock(store).follow_wall()
    return store
