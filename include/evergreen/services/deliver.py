"""The notifier's second half: what waits for a channel is sent to it.

Guarantee: at least once, always with the same id, those of one group in order. Failure: the process dies between the channel's answer and
the mark; the channel is away, slow or refuses. Remedy: what was claimed and not marked is sent again when its lease ends, and a receiver
knows it by its id; a failed attempt is repeated with doubling waits; after the last one the row says `failed` and why, and an error is
logged. That is never an alert: it would go the same way. Channels do not wait for each other: each has its own call."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import structlog

from evergreen.core.clock import Clock
from evergreen.core.notices import Notice
from evergreen.ports.notifications import NoticeRow, NotifyStore
from evergreen.ports.notifier import NotDelivered, Notifier

LEASE = timedelta(seconds=60)
"""Longer than any channel takes to answer or give up."""
FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(minutes=10)
log = structlog.get_logger(__name__)


class Deliver:
    def __init__(self, store: NotifyStore, wall: Clock, channels: Mapping[str, Notifier], *, max_attempts: int = 10) -> None:
        self._store = store
        self._wall = wall
        self._channels = channels
        self._max_attempts = max_attempts

    def due(self) -> set[str]:
        """Channels something waits for now."""
        with self._store.transaction() as tx:
            return tx.notices.channels_due(self._wall.now()) & set(self._channels)

    def run(self, channel: str, limit: int = 100) -> int:
        """Everything that is due for it; returns how many it took. Raises Unavailable when Postgres is away."""
        taken = 0
        for _ in range(limit):
            with self._store.transaction() as tx:
                row = tx.notices.claim(channel, self._wall.now(), LEASE)
            if row is None:
                break
            taken += self._send(self._channels[channel], row)
        return taken

    def _send(self, notifier: Notifier, row: NoticeRow) -> bool:
        try:
            notifier.send(row.notice)
        except NotDelivered as error:
            self._failed(row, error)
            return False
        except Exception as error:  # noqa: BLE001 - the edge to other people's libraries: one message they break on must not stop the others
            self._failed(row, NotDelivered(f"{type(error).__name__} in the channel's adapter"))
            log.error("channel_broke", channel=row.notice.channel, kind=type(error).__name__)
            return False
        with self._store.transaction() as tx:
            tx.notices.sent(row.notice.id, self._wall.now())
        log.info("notice_sent", attempts=row.attempts, **_about(row.notice))
        return True

    def _failed(self, row: NoticeRow, error: NotDelivered) -> None:
        now = self._wall.now()
        gives_up = error.permanent or row.attempts >= self._max_attempts
        with self._store.transaction() as tx:
            if gives_up:
                tx.notices.give_up(row.notice.id, now, str(error))
            else:
                tx.notices.retry(row.notice.id, now + wait_after(row.attempts), str(error))
        (log.error if gives_up else log.warning)("notice_failed" if gives_up else "notice_waits", attempts=row.attempts, error=str(error), **_about(row.notice))


def wait_after(attempts: int) -> timedelta:
    """5, 10, 20 … seconds, at most 10 minutes."""
    return min(FIRST_WAIT * (1 << min(attempts - 1, 20)), LONGEST_WAIT)


def _about(notice: Notice) -> dict[str, str]:
    return {"notice": str(notice.id), "channel": notice.channel, "kind": notice.kind, "title": notice.title.en}
