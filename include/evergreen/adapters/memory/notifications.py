"""What the notifier keeps, without a database; and a channel that keeps what it was sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from evergreen.adapters.memory.store import MemoryStore, MemoryTransaction
from evergreen.adapters.memory.tables import Tables
from evergreen.core.clock import wall_now
from evergreen.core.notices import Notice, Silence
from evergreen.ports.notifications import Group, NoticeRow, NoticeStatus
from evergreen.ports.storage import Lease


@dataclass
class NotifyTables(Tables):
    notices: dict[UUID, NoticeRow] = field(default_factory=dict)
    """In the order they were made."""
    groups: dict[str, Group] = field(default_factory=dict)
    silences: dict[UUID, Silence] = field(default_factory=dict)


class MemoryNotices:
    def __init__(self, tables: NotifyTables) -> None:
        self._tables = tables

    def add(self, notices: Sequence[Notice]) -> None:
        self._tables.notices |= {one.id: NoticeRow(one, wall_now()) for one in notices if one.id not in self._tables.notices}

    def channels_due(self, wall: datetime) -> set[str]:
        return {row.notice.channel for row in self._pending() if _is_free(row, wall)}

    def claim(self, channel: str, wall: datetime, lease: timedelta) -> NoticeRow | None:
        waiting: set[str] = set()
        for row in self._pending():
            if row.notice.channel != channel:
                continue
            if row.notice.grouping not in waiting and _is_free(row, wall):
                return self._change(row.notice.id, attempts=row.attempts + 1, retry_at=wall + lease)
            waiting.add(row.notice.grouping)
        return None

    def sent(self, notice_id: UUID, wall: datetime) -> None:
        self._finish(notice_id, "sent", wall, None)

    def retry(self, notice_id: UUID, at: datetime, error: str) -> None:
        if self._tables.notices[notice_id].status == "pending":
            self._change(notice_id, retry_at=at, error=error)

    def give_up(self, notice_id: UUID, wall: datetime, error: str) -> None:
        self._finish(notice_id, "failed", wall, error)

    def abandon(self, channels: Sequence[str], wall: datetime) -> list[NoticeRow]:
        lost = [row.notice.id for row in self._pending() if row.notice.channel not in channels]
        for notice_id in lost:
            self._finish(notice_id, "failed", wall, "its channel is no longer configured")
        return [self._tables.notices[notice_id] for notice_id in lost]

    def newest(self, limit: int, status: NoticeStatus | None = None) -> list[NoticeRow]:
        return [row for row in reversed(self._tables.notices.values()) if status in (None, row.status)][:limit]

    def counts(self) -> Mapping[NoticeStatus, int]:
        found: dict[NoticeStatus, int] = {}
        for row in self._tables.notices.values():
            found[row.status] = found.get(row.status, 0) + 1
        return found

    def prune(self, before: datetime) -> int:
        old = [row.notice.id for row in self._tables.notices.values() if row.status != "pending" and row.created_at < before]
        for notice_id in old:
            del self._tables.notices[notice_id]
        return len(old)

    def _pending(self) -> list[NoticeRow]:
        return [row for row in self._tables.notices.values() if row.status == "pending"]

    def _finish(self, notice_id: UUID, status: NoticeStatus, wall: datetime, error: str | None) -> None:
        if self._tables.notices[notice_id].status == "pending":
            self._change(notice_id, status=status, finished_at=wall, retry_at=None, error=error)

    def _change(self, notice_id: UUID, **changes: object) -> NoticeRow:
        row = replace(self._tables.notices[notice_id], **changes)  # type: ignore[arg-type]
        self._tables.notices[notice_id] = row
        return row


def _is_free(row: NoticeRow, wall: datetime) -> bool:
    return row.retry_at is None or row.retry_at <= wall


class MemoryGroups:
    def __init__(self, tables: NotifyTables) -> None:
        self._tables = tables

    def named(self, groupings: Sequence[str]) -> Mapping[str, Group]:
        return {name: self._tables.groups[name] for name in groupings if name in self._tables.groups}

    def save(self, groups: Sequence[Group]) -> None:
        self._tables.groups |= {one.grouping: one for one in groups}

    def prune(self, notified_before: datetime) -> int:
        old = [one.grouping for one in self._tables.groups.values() if one.notified_at < notified_before]
        for name in old:
            del self._tables.groups[name]
        return len(old)


class MemorySilences:
    def __init__(self, tables: NotifyTables) -> None:
        self._tables = tables

    def add(self, silence: Silence) -> None:
        self._tables.silences[silence.id] = silence

    def running(self, now: datetime) -> list[Silence]:
        return [one for one in self.newest(len(self._tables.silences)) if one.ended_at is None and one.until > now]

    def newest(self, limit: int) -> list[Silence]:
        return sorted(self._tables.silences.values(), key=lambda one: one.created_at, reverse=True)[:limit]

    def end(self, silence_id: UUID, now: datetime, who: str) -> bool:
        found = self._tables.silences.get(silence_id)
        if found is None or found.ended_at is not None or found.until <= now:
            return False
        self._tables.silences[silence_id] = replace(found, ended_at=now, ended_by=who)
        return True

    def prune(self, over_before: datetime) -> int:
        old = [one.id for one in self._tables.silences.values() if min(one.ended_at or one.until, one.until) < over_before]
        for silence_id in old:
            del self._tables.silences[silence_id]
        return len(old)


class MemoryNotifyTransaction(MemoryTransaction):
    def __init__(self, tables: NotifyTables) -> None:
        super().__init__(tables)
        self.notices = MemoryNotices(tables)
        self.groups = MemoryGroups(tables)
        self.silences = MemorySilences(tables)


class MemoryNotifyStore(MemoryStore):
    tables: NotifyTables

    def __init__(self) -> None:
        super().__init__()
        self.tables = NotifyTables()

    @contextmanager
    def transaction(self, lease: Lease | None = None) -> Iterator[MemoryNotifyTransaction]:
        with super().transaction(lease):
            yield MemoryNotifyTransaction(self.tables)


@dataclass
class MemoryNotifier:
    """`fails`: what to raise at a send, by its number (1 is the first); None takes it."""

    fails: Callable[[int], Exception | None] = lambda _number: None
    received: list[Notice] = field(default_factory=list)
    tried: int = 0

    def send(self, notice: Notice) -> None:
        self.tried += 1
        fault = self.fails(self.tried)
        if fault is not None:
            raise fault
        self.received.append(notice)
