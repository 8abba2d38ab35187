"""Tables `notices` and `alert_groups`: what was told to whom, and what is still to be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg2.extensions
from psycopg2.extras import RealDictCursor, execute_values

from evergreen.core.notices import Notice, Text
from evergreen.ports.notifications import Group, NoticeRow, NoticeStatus

_PLAIN = ("id", "channel", "kind", "grouping", "severity", "model", "event_type", "time")
_TEXTS = ("title_en", "title_ko", "message_en", "message_ko")
_NOTICE = ", ".join((*_PLAIN, *_TEXTS, "alert_ids"))
_FATE = ("created_at", "status", "attempts", "retry_at", "finished_at", "error")
_READ = f"{_NOTICE}, {', '.join(_FATE)}"
# Of one group in order: a message that it is over must not come before the one that it began.
_NEXT = """SELECT id FROM notices n WHERE status = 'pending' AND channel = %(channel)s AND (retry_at IS NULL OR retry_at <= %(wall)s)
    AND NOT EXISTS (SELECT FROM notices e WHERE e.status = 'pending' AND e.channel = n.channel AND e.grouping = n.grouping AND e.seq < n.seq)
    ORDER BY seq LIMIT 1 FOR UPDATE SKIP LOCKED"""


class PostgresNotices:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def add(self, notices: Sequence[Notice]) -> None:
        if not notices:
            return
        with self._connection.cursor() as cursor:
            execute_values(cursor, f"INSERT INTO notices ({_NOTICE}) VALUES %s ON CONFLICT (id) DO NOTHING", [_values(one) for one in notices])

    def channels_due(self, wall: datetime) -> set[str]:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT DISTINCT channel FROM notices WHERE status = 'pending' AND (retry_at IS NULL OR retry_at <= %s)", (wall,))
            return {channel for (channel,) in cursor.fetchall()}

    def claim(self, channel: str, wall: datetime, lease: timedelta) -> NoticeRow | None:
        query = f"UPDATE notices SET attempts = attempts + 1, retry_at = %(free_at)s WHERE id = ({_NEXT}) RETURNING {_READ}"
        found = self._read(query, {"channel": channel, "wall": wall, "free_at": wall + lease})
        return found[0] if found else None

    def sent(self, notice_id: UUID, wall: datetime) -> None:
        self._finish(notice_id, "sent", wall, None)

    def retry(self, notice_id: UUID, at: datetime, error: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute("UPDATE notices SET retry_at = %s, error = %s WHERE id = %s AND status = 'pending'", (at, error, notice_id))

    def give_up(self, notice_id: UUID, wall: datetime, error: str) -> None:
        self._finish(notice_id, "failed", wall, error)

    def abandon(self, channels: Sequence[str], wall: datetime) -> list[NoticeRow]:
        query = f"""UPDATE notices SET status = 'failed', finished_at = %s, error = 'its channel is no longer configured'
            WHERE status = 'pending' AND NOT channel = ANY(%s) RETURNING {_READ}"""
        return self._read(query, (wall, list(channels)))

    def newest(self, limit: int, status: NoticeStatus | None = None) -> list[NoticeRow]:
        return self._read(
            f"SELECT {_READ} FROM notices WHERE %s::text IS NULL OR status = %s ORDER BY created_at DESC, seq DESC LIMIT %s", (status, status, limit)
        )

    def counts(self) -> Mapping[NoticeStatus, int]:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT status, count(*) FROM notices GROUP BY status")
            return dict(cursor.fetchall())

    def prune(self, before: datetime) -> int:
        with self._connection.cursor() as cursor:
            cursor.execute("DELETE FROM notices WHERE status <> 'pending' AND created_at < %s", (before,))
            return cursor.rowcount

    def _finish(self, notice_id: UUID, status: NoticeStatus, wall: datetime, error: str | None) -> None:
        with self._connection.cursor() as cursor:
            query = "UPDATE notices SET status = %s, finished_at = %s, retry_at = NULL, error = %s WHERE id = %s AND status = 'pending'"
            cursor.execute(query, (status, wall, error, notice_id))

    def _read(self, query: str, values: Any) -> list[NoticeRow]:
        with self._connection.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute(query, values)
            return [_row(found) for found in cursor.fetchall()]


def _values(notice: Notice) -> tuple[Any, ...]:
    texts = (notice.title.en, notice.title.ko, notice.message.en, notice.message.ko)
    return (*(getattr(notice, name) for name in _PLAIN), *texts, list(notice.alert_ids))


def _row(found: Mapping[str, Any]) -> NoticeRow:
    title, message = Text(found["title_en"], found["title_ko"]), Text(found["message_en"], found["message_ko"])
    notice = Notice(**{name: found[name] for name in _PLAIN}, title=title, message=message, alert_ids=tuple(found["alert_ids"]))
    return NoticeRow(notice, **{name: found[name] for name in _FATE})


class PostgresGroups:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def named(self, groupings: Sequence[str]) -> Mapping[str, Group]:
        with self._connection.cursor() as cursor:
            query = "SELECT grouping, model, event_type, severity, peak, notified_time, held, open FROM alert_groups WHERE grouping = ANY(%s)"
            cursor.execute(query, (list(groupings),))
            return {row[0]: Group(*row) for row in cursor.fetchall()}

    def save(self, groups: Sequence[Group]) -> None:
        if not groups:
            return
        values = [(one.grouping, one.model, one.event_type, one.severity, one.peak, one.notified_at, one.held, one.open) for one in groups]
        with self._connection.cursor() as cursor:
            execute_values(
                cursor,
                """INSERT INTO alert_groups (grouping, model, event_type, severity, peak, notified_time, held, open) VALUES %s
                   ON CONFLICT (grouping) DO UPDATE SET model = excluded.model, event_type = excluded.event_type, severity = excluded.severity,
                       peak = excluded.peak, notified_time = excluded.notified_time, held = excluded.held, open = excluded.open""",
                values,
            )

    def prune(self, notified_before: datetime) -> int:
        with self._connection.cursor() as cursor:
            cursor.execute("DELETE FROM alert_groups WHERE notified_time < %s", (notified_before,))
            return cursor.rowcount
