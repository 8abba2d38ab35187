"""The kill switch: `evergreen policy pause` and `resume`.

Guarantee: from the transaction on, no claim of a retrain, rollback, promotion or scaling succeeds, and each decision says `paused`.
Failure: a run that has claimed already goes on. Remedy: none is wanted; end it in Airflow's UI where it must."""

from __future__ import annotations

from uuid import UUID

from evergreen.contracts.actions import NO_MODEL
from evergreen.contracts.envelope import new_id
from evergreen.core.clock import Clock
from evergreen.ports.policy_records import Pause
from evergreen.ports.records import AlertRow, RecordStore
from evergreen.services.raise_alert import raise_alerts


class TurnSwitch:
    def __init__(self, store: RecordStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def run(self, *, paused: bool, who: str, reason: str) -> bool:
        """False when it stands there already."""
        now = self._clock.now()
        with self._store.transaction() as tx:
            before = tx.pauses.current()
            if (before is not None and before.paused) == paused:
                return False
            tx.pauses.turn(Pause(paused, who, reason, now))
            word = "paused" if paused else "resumed"
            title = f"[high] Policy {word}"
            raise_alerts(tx, [AlertRow(UUID(new_id()), "policy|pause", "high", title, f"By {who}: {reason}", NO_MODEL, now)])
        return True
