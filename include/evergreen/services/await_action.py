"""Waiting for an action somebody asked for, telling each change on the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from evergreen.contracts.actions import TERMINAL, ActionStatus
from evergreen.core.errors import EvergreenError, NotFound
from evergreen.ports.storage import ActionRow, Store

POLL_SECONDS = 0.3


class ActionNotDone(EvergreenError):
    """The action failed, was cancelled, or is still under way when the time to wait is over. It goes on without its watcher."""


class AwaitAction:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._pause = threading.Event()

    def run(self, action_id: UUID, timeout_seconds: float, told: Callable[[str], None]) -> Mapping[str, Any]:
        """The action's result, or, of one that was put off, what it waits for. Raises ActionNotDone."""
        until = time.monotonic() + timeout_seconds
        said = ""
        while True:
            row = self._row(action_id)
            if (words := _words(row)) != said:
                said = words
                told(words)
            if row.status is ActionStatus.SUCCEEDED:
                return row.result or {}
            if row.status is ActionStatus.PENDING and row.action.due_at > row.accepted_at:
                return {"waits": row.error or "for its time", "until": row.action.due_at.isoformat(), "action_id": str(action_id)}
            if row.status in TERMINAL:
                raise ActionNotDone(f"{row.action.kind} {row.action.target} {row.status}: {row.error}")
            if time.monotonic() >= until:
                raise ActionNotDone(f"{row.action.kind} {row.action.target} is {row.status} after {timeout_seconds:.0f} s and goes on; action {action_id}")
            self._pause.wait(POLL_SECONDS)

    def _row(self, action_id: UUID) -> ActionRow:
        with self._store.transaction() as tx:
            row = tx.actions.get(action_id)
        if row is None:
            raise NotFound(f"no action {action_id}")
        return row


def _words(row: ActionRow) -> str:
    tries = f", attempt {row.attempts}" if row.attempts > 1 else ""
    waits = f" after: {row.error}" if row.status is ActionStatus.PENDING and row.error else ""
    by = f" by {row.run_id}" if row.run_id and row.status in (ActionStatus.CLAIMED, ActionStatus.RUNNING) else ""
    return f"{row.action.kind} {row.action.target}: {row.status}{by}{tries}{waits}"
