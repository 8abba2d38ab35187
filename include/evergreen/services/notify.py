"""The notifier's first half: what was recorded becomes messages to channels.

Guarantee: each alert is settled once, in the transaction that makes its messages; nothing is lost and nothing is told twice by a restart.
Failure: the process dies before or after the commit, two lead for a moment. Remedy: what is not settled is taken up again, rows are
locked, and a message's id follows from its alerts. Needs Postgres and nothing else; sending is `deliver`'s, after the commit."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import structlog

from evergreen.contracts.actions import NO_MODEL
from evergreen.core.clock import Clock
from evergreen.ports.notifications import NotifyStore, NotifyTransaction
from evergreen.services.plan_notices import NoticePlanner, NotifyRules

BATCH = 1_000
TIMER = "alert_digest"
KEEP = timedelta(days=90)
log = structlog.get_logger(__name__)


class Notify:
    def __init__(self, store: NotifyStore, clock: Clock, wall: Clock, rules: NotifyRules, digest_at: time, zone: ZoneInfo) -> None:
        self._store = store
        self._clock = clock
        self._wall = wall
        self._rules = rules
        self._digest_at = digest_at
        self._zone = zone

    def run(self) -> timedelta | None:
        """One round. Returns how long a group still gathers, None when nothing waits. Raises Unavailable."""
        now, wall = self._clock.now(), self._wall.now()
        with self._store.transaction() as tx:
            rows = tx.alerts.unsettled(BATCH)
            due = self._digest_due(tx, now)
            if not rows and due is None:
                return None
            planner = NoticePlanner(self._rules, tx.groups.named(sorted({row.grouping for row in rows})), tx.silences.running(now), now, wall)
            planner.add(rows)
            if due is not None:
                planner.digest(tx.alerts.for_digest(BATCH), due)
                tx.timers.set(TIMER, NO_MODEL, due)
            tx.groups.save(list(planner.groups.values()))
            tx.notices.add(planner.notices)
            tx.alerts.settle(planner.outcomes)
        for notice in planner.notices:
            log.info("notice_made", notice=str(notice.id), channel=notice.channel, kind=notice.kind, group=notice.grouping, severity=notice.severity)
        return planner.wait

    def abandon_lost_channels(self) -> None:
        """What waits for a channel that was taken out of the settings will never be sent: it says so."""
        with self._store.transaction() as tx:
            lost = tx.notices.abandon(list(self._rules.channels), self._wall.now())
        for row in lost:
            log.error("notice_failed", notice=str(row.notice.id), channel=row.notice.channel, title=row.notice.title.en, error=row.error)

    def prune(self) -> int:
        """Remove what was settled and told long ago, and groups nobody was told about since; returns how many messages."""
        with self._store.transaction() as tx:
            tx.groups.prune(self._clock.now() - KEEP)
            tx.alerts.prune(self._wall.now() - KEEP)
            return tx.notices.prune(self._wall.now() - KEEP)

    def _digest_due(self, tx: NotifyTransaction, now: datetime) -> datetime | None:
        """The newest time of day it was due at, if none was sent since. A clock seen for the first time, or that went back, starts its period."""
        newest = _newest_at(self._digest_at, now, self._zone)
        last = tx.timers.last().get((TIMER, NO_MODEL))
        if last is None or last > now:
            tx.timers.set(TIMER, NO_MODEL, newest)
            return None
        return newest if newest > last else None


def _newest_at(at: time, now: datetime, zone: ZoneInfo) -> datetime:
    local = now.astimezone(zone)
    today = datetime.combine(local.date(), at, zone)
    return today if today <= local else datetime.combine(local.date() - timedelta(days=1), at, zone)
