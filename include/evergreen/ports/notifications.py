"""What the notifier keeps, so that a restart neither repeats nor loses a message: notices with their fate, groups, silences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol
from uuid import UUID

from evergreen.core.notices import Notice, Silence
from evergreen.ports.alerts import Alerts
from evergreen.ports.records import Timers

NoticeStatus = Literal["pending", "sent", "failed"]


@dataclass(frozen=True)
class NoticeRow:
    """A notice and what became of it. Times are wall time."""

    notice: Notice
    created_at: datetime
    status: NoticeStatus = "pending"
    attempts: int = 0
    retry_at: datetime | None = None
    """Pending: not before then. While somebody sends it: when it is free again."""
    finished_at: datetime | None = None
    error: str | None = None


@dataclass(frozen=True)
class Group:
    """What was last told about one (model or service, event type)."""

    grouping: str
    model: str
    event_type: str
    severity: str
    """Of the last message: what is worse breaks through."""
    peak: str
    """The highest that was told since it began: whoever heard of that hears of the end."""
    notified_at: datetime
    """Platform time of the last message."""
    held: int = 0
    """Alerts since then that were not sent."""
    open: bool = True


class Notices(Protocol):
    def add(self, notices: Sequence[Notice]) -> None:
        """Once per id."""

    def channels_due(self, wall: datetime) -> set[str]: ...

    def claim(self, channel: str, wall: datetime, lease: timedelta) -> NoticeRow | None:
        """The oldest that is due, with its attempt counted; nobody else gets it before the lease ends. Of one group never a later one
        before an earlier one is sent or given up."""

    def sent(self, notice_id: UUID, wall: datetime) -> None: ...

    def retry(self, notice_id: UUID, at: datetime, error: str) -> None: ...

    def give_up(self, notice_id: UUID, wall: datetime, error: str) -> None: ...

    def abandon(self, channels: Sequence[str], wall: datetime) -> list[NoticeRow]:
        """Give up whatever waits for another channel than these; returns it."""

    def newest(self, limit: int, status: NoticeStatus | None = None) -> list[NoticeRow]: ...

    def counts(self) -> Mapping[NoticeStatus, int]: ...

    def prune(self, before: datetime) -> int:
        """Remove finished ones made before this wall time."""


class Groups(Protocol):
    def named(self, groupings: Sequence[str]) -> Mapping[str, Group]: ...

    def save(self, groups: Sequence[Group]) -> None: ...

    def prune(self, notified_before: datetime) -> int:
        """Remove those last told about before this platform time."""


class Silences(Protocol):
    def add(self, silence: Silence) -> None: ...

    def running(self, now: datetime) -> list[Silence]:
        """Neither over nor ended, by platform time; newest first."""

    def newest(self, limit: int) -> list[Silence]: ...

    def end(self, silence_id: UUID, now: datetime, who: str) -> bool:
        """False when there is none that runs."""

    def prune(self, over_before: datetime) -> int:
        """Remove those that were over, or ended, before this platform time."""


class NotifyTransaction(Protocol):
    @property
    def alerts(self) -> Alerts: ...
    @property
    def timers(self) -> Timers: ...
    @property
    def notices(self) -> Notices: ...
    @property
    def groups(self) -> Groups: ...
    @property
    def silences(self) -> Silences: ...


class NotifyStore(Protocol):
    def transaction(self) -> AbstractContextManager[NotifyTransaction]: ...
