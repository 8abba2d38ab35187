"""The work list without a database. Wall time comes from the machine, as it does in Postgres."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from evergreen.adapters.memory.tables import OPEN, OUT, StoredAction, Tables
from evergreen.contracts.actions import Action, ActionKind, ActionStatus
from evergreen.core.clock import wall_now
from evergreen.core.errors import Fenced
from evergreen.ports.records import Absorbed, NewAction
from evergreen.ports.storage import MAX_ATTEMPTS, ActionRow, ClaimedAction, Lease


class MemoryActions:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def insert(self, action: Action, *, key: str, event_type: str, accepted_at: datetime, decision_seq: int | None = None) -> bool:
        return self._add(StoredAction(action, key, event_type, accepted_at, decision_seq, ActionStatus.PENDING))

    def record_done(self, action: Action, *, key: str, event_type: str, accepted_at: datetime, decision_seq: int | None, result: Mapping[str, Any]) -> bool:
        return self._add(StoredAction(action, key, event_type, accepted_at, decision_seq, ActionStatus.SUCCEEDED, result=result))

    def _add(self, new: StoredAction) -> bool:
        if any(one.key == new.key for one in self._tables.actions.values()):
            return False
        self._tables.actions[new.action.id] = new
        return True

    def claim(self, kind: ActionKind, run_id: str, now: datetime, lease_for: timedelta, action_id: UUID | None = None) -> ClaimedAction | None:
        of_kind = [one for one in self._tables.actions.values() if one.action.kind is kind]
        held = next((one for one in of_kind if one.run_id == run_id and one.status in OUT), None)
        if held is not None:
            return _claimed(held)
        busy = {one.action.model for one in of_kind if one.status in OUT}
        free = [one for one in of_kind if self._is_due(one, now) and one.released and one.action.model not in busy and action_id in (None, one.action.id)]
        if not free:
            return None
        first = min(free, key=_turn)
        taken = replace(first, status=ActionStatus.CLAIMED, run_id=run_id, token=first.token + 1, attempts=first.attempts + 1, retry_at=None)
        return _claimed(self._put(replace(taken, lease_until=wall_now() + lease_for)))

    def renew(self, lease: Lease, lease_for: timedelta) -> bool:
        found = self._held(lease)
        if found is None:
            return False
        self._put(replace(found, lease_until=wall_now() + lease_for))
        return True

    def start(self, lease: Lease) -> None:
        self._put(replace(self._mine(lease), status=ActionStatus.RUNNING))

    def finish(self, lease: Lease, status: ActionStatus, *, result: Mapping[str, Any] | None = None, error: str | None = None) -> None:
        self._put(replace(self._mine(lease), status=status, result=result, error=error, lease_until=None))

    def retry_later(self, lease: Lease, *, error: str, wait: timedelta) -> None:
        mine = self._mine(lease)
        self._put(replace(mine, status=ActionStatus.PENDING, error=error, retry_at=wall_now() + wait, lease_until=None, rung_at=None))

    def put_off(self, lease: Lease, *, until: datetime, why: str) -> None:
        mine = self._mine(lease)
        later = mine.action.model_copy(update={"due_at": until, "as_of": until})
        self._put(replace(mine, action=later, status=ActionStatus.PENDING, error=why, attempts=0, lease_until=None, rung_at=None))

    def get(self, action_id: UUID) -> ActionRow | None:
        found = self._tables.actions.get(action_id)
        return None if found is None else found.row()

    def open_of(self, kind: ActionKind, model: str) -> list[ActionRow]:
        found = [one for one in self._tables.actions.values() if one.action.kind is kind and one.action.model == model and one.status in OPEN]
        return [one.row() for one in sorted(found, key=lambda one: one.action.due_at)]

    def expire_leases(self) -> list[ActionRow]:
        late = [one for one in self._tables.actions.values() if one.status in OUT and one.lease_until is not None and one.lease_until < wall_now()]
        returned = []
        for one in late:
            if one.attempts < MAX_ATTEMPTS:
                wait = timedelta(seconds=min(2**one.attempts, 60))
                pending = replace(one, status=ActionStatus.PENDING, lease_until=None, rung_at=None, token=one.token + 1, error="lease expired")
                returned.append(self._put(replace(pending, retry_at=wall_now() + wait)).row())
        return [*returned, *(one.row() for one in late if one.attempts >= MAX_ATTEMPTS)]

    def due(self, now: datetime, kind: ActionKind | None = None, rung_before: timedelta | None = None) -> list[ActionRow]:
        return [one.row() for one in self._due(now, kind, rung_before) if one.released]

    def _due(self, now: datetime, kind: ActionKind | None, rung_before: timedelta | None) -> list[StoredAction]:
        def is_quiet(one: StoredAction) -> bool:
            return rung_before is None or one.rung_at is None or one.rung_at < wall_now() - rung_before

        found = [one for one in self._tables.actions.values() if self._is_due(one, now) and kind in (None, one.action.kind) and is_quiet(one)]
        return sorted(found, key=_turn)

    def quiet(self, now: datetime, rung_before: timedelta) -> list[ActionRow]:
        first: dict[tuple[str, str], ActionRow] = {}
        for row in (one.row() for one in self._due(now, None, rung_before)):
            first.setdefault((row.action.kind, row.action.model), row)
        return list(first.values())

    def out(self) -> set[tuple[ActionKind, str]]:
        return {(one.action.kind, one.action.model) for one in self._tables.actions.values() if one.status in OUT}

    def mark_rung(self, action_ids: Sequence[UUID]) -> None:
        for action_id in action_ids:
            if action_id in self._tables.actions:
                self._put(replace(self._tables.actions[action_id], rung_at=wall_now()))

    def mark_all_rung(self, kind: ActionKind, model: str, now: datetime) -> None:
        self.mark_rung([row.action.id for row in self.due(now, kind) if row.action.model == model])

    def _is_due(self, one: StoredAction, now: datetime) -> bool:
        return (
            one.status is ActionStatus.PENDING
            and not self._tables.holds(one)
            and one.action.due_at <= now
            and (one.retry_at is None or one.retry_at <= wall_now())
        )

    def _put(self, one: StoredAction) -> StoredAction:
        self._tables.actions[one.action.id] = one
        return one

    def _held(self, lease: Lease) -> StoredAction | None:
        found = self._tables.actions.get(lease.action_id)
        return found if found is not None and found.token == lease.token and found.status in OUT else None

    def _mine(self, lease: Lease) -> StoredAction:
        found = self._held(lease)
        if found is None:
            raise Fenced(f"action {lease.action_id} is no longer this run's (token {lease.token})")
        return found


class MemoryPlannedActions:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def insert(self, rows: Sequence[NewAction], *, rung: bool) -> None:
        queue = MemoryActions(self._tables)
        for row in rows:
            if row.done is not None:
                queue.record_done(
                    row.action, key=row.key, event_type=row.event_type, accepted_at=row.accepted_at, decision_seq=row.decision_seq, result=row.done
                )
            elif queue.insert(row.action, key=row.key, event_type=row.event_type, accepted_at=row.accepted_at, decision_seq=row.decision_seq):
                if rung:
                    queue.mark_rung([row.action.id])
                else:
                    self._tables.actions[row.action.id] = replace(self._tables.actions[row.action.id], released=False)

    def hold_claims(self, kinds: Iterable[ActionKind]) -> None:
        """A transaction here excludes every other."""

    def absorb(self, row: Absorbed, *, accepted_at: datetime | None) -> bool:
        change, found = row.absorption, self._tables.actions.get(row.absorption.into)
        if found is None or found.status not in OPEN or (found.status is ActionStatus.PENDING) is not (change.status == "pending"):
            return False
        changes = {name: getattr(change, name) for name in ("reason", "severity", "priority", "due_at", "as_of")}
        action = found.action.model_copy(update={**changes, "params": dict(change.params), "causes": (*found.action.causes, *row.causes)})
        released = found.released or change.runs_now
        self._tables.actions[action.id] = replace(found, action=action, accepted_at=accepted_at or found.accepted_at, released=released)
        return True

    def release(self, action_ids: Sequence[UUID]) -> None:
        for action_id in action_ids:
            self._tables.actions[action_id] = replace(self._tables.actions[action_id], released=True, rung_at=wall_now())

    def cancel(self, action_id: UUID, error: str) -> bool:
        found = self._tables.actions.get(action_id)
        if found is None or found.status is not ActionStatus.PENDING:
            return False
        self._tables.actions[action_id] = replace(found, status=ActionStatus.CANCELLED, error=error)
        return True


def _turn(one: StoredAction) -> tuple[bool, datetime]:
    return (one.action.priority != "high", one.action.due_at)


def _claimed(one: StoredAction) -> ClaimedAction:
    return ClaimedAction(one.action, Lease(one.action.id, one.token, one.run_id or ""), one.attempts)
