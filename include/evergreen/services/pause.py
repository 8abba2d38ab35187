"""The kill switch: `evergreen policy pause` and `resume`.

Guarantee: from the transaction on, no claim of a retrain, rollback, promotion or scaling succeeds, and each decision says `paused`.
Failure: a run that has claimed already goes on. Remedy: none is wanted; end it in Airflow's UI where it must."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from evergreen.contracts.actions import NO_MODEL
from evergreen.contracts.envelope import new_id
from evergreen.core.alerts import AlertDetails
from evergreen.core.clock import Clock
from evergreen.ports.policy_records import Pause
from evergreen.ports.records import AlertRow, RecordStore
from evergreen.services.raise_alert import raise_alerts, resolution

GROUP = "policy|pause"


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
            raise_alerts(tx, [_told(now, paused=paused, who=who, reason=reason)])
        return True


def _told(now: datetime, *, paused: bool, who: str, reason: str) -> AlertRow:
    message, message_ko = f"By {who}: {reason}", f"{who}: {reason}"
    if not paused:
        return resolution(GROUP, now, why=message, why_ko=message_ko, key=new_id())
    details = AlertDetails(title_ko="[높음] 정책 일시 중지", message_ko=message_ko)
    return AlertRow(UUID(new_id()), GROUP, "high", "[high] Policy paused", message, NO_MODEL, now, details=details)
