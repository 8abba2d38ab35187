"""A candidate policy that decides and records beside the one in force, on the same recorded state, and executes nothing."""

from __future__ import annotations

import json
from typing import Any

from evergreen.core.rules import Policy
from evergreen.ports.policy_records import ShadowRow
from evergreen.ports.records import RecordStore


class ShadowPolicy:
    def __init__(self, store: RecordStore) -> None:
        self._store = store
        self._policy: Policy | None = None

    def current(self) -> Policy | None:
        """As of the last `refresh`."""
        return self._policy

    def refresh(self) -> None:
        with self._store.transaction() as tx:
            active = tx.shadows.active()
        if active is None:
            self._policy = None
        elif self._policy is None or self._policy.hash != active[0]:
            self._policy = Policy.model_validate(active[1])

    def start(self, candidate: Policy) -> None:
        with self._store.transaction() as tx:
            tx.shadows.start(candidate.hash, candidate.body())

    def stop(self) -> None:
        with self._store.transaction() as tx:
            tx.shadows.stop()

    def report(self, limit: int) -> dict[str, Any]:
        """How it compares with the one in force, and the newest decisions that differ."""
        with self._store.transaction() as tx:
            active = tx.shadows.active()
            if active is None:
                return {"shadow": None, "decisions": 0, "agreeing": 0, "differing": []}
            decided, agreeing = tx.shadows.agreement(active[0])
            differing = tx.shadows.differing(active[0], limit)
        return {"shadow": active[0], "decisions": decided, "agreeing": agreeing, "differing": [_told(row) for row in differing]}


def _told(row: ShadowRow) -> dict[str, Any]:
    answers = [f"{one['action']} {one['outcome']}" for one in json.loads(row.body)["answers"]]
    return {"event": row.event_id, "event_type": row.event_type, "model": row.model, "at": row.decided_at.isoformat(), "answers": answers}
