"""Alerts as they are recorded, and what the notifier did about each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from evergreen.core.alerts import NO_DETAILS, AlertDetails


@dataclass(frozen=True)
class AlertRow:
    id: UUID
    grouping: str
    severity: str
    title: str
    message: str
    model: str
    time: datetime
    event_source: str | None = None
    event_id: str | None = None
    details: AlertDetails = NO_DETAILS
    resolves: bool = False
    """It says that its group is over; told only where something was told before."""
    recorded_at: datetime | None = None
    """Wall time; the store stamps it."""
    outcome: str | None = None
    """What the notifier did: `notified`, `held`, `silenced`, `digest` (waits for it), `digested`, `resolved`, `nothing_open`. None: it has not come to it."""

    @property
    def event_type(self) -> str:
        return self.details.event_type or self.grouping.rpartition("|")[2]


class Alerts(Protocol):
    def record(self, rows: Sequence[AlertRow]) -> None:
        """Once per id."""

    def newest(self, limit: int, model: str | None = None) -> list[AlertRow]:
        """Alerts, not what resolves them."""

    def unsettled(self, limit: int) -> list[AlertRow]:
        """Those the notifier has not come to, oldest first; another transaction passes over them until this one ends."""

    def for_digest(self, limit: int) -> list[AlertRow]: ...

    def settle(self, outcomes: Mapping[UUID, str]) -> None: ...

    def prune(self, before: datetime) -> int:
        """Remove settled ones recorded before this wall time, except those that wait for the digest."""
