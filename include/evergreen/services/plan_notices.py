"""From recorded alerts to messages, in memory: what is told now, held back, silenced, kept for the digest, over.

Alerts of a group that come within the group wait are one message. A group that goes on is told of again after the repeat interval, or at
once when it gets worse. Low ones wait for the digest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from evergreen.contracts.envelope import derived_id
from evergreen.core.notices import Notice, NoticeKind, Silence, Text, Told, digest_text, group_text
from evergreen.core.severity import Severity
from evergreen.ports.alerts import AlertRow
from evergreen.ports.notifications import Group

DIGEST = "digest"
"""The grouping of digests."""


@dataclass(frozen=True)
class NotifyRules:
    channels: Mapping[str, Severity]
    """Name -> the least severity it is told about."""
    group_wait: timedelta = timedelta(seconds=0.5)
    """Wall time."""
    repeat_interval: timedelta = timedelta(hours=4)
    """Platform time."""


class NoticePlanner:
    """For one round. `groups`: those of the alerts that are added, as they are recorded."""

    def __init__(self, rules: NotifyRules, groups: Mapping[str, Group], silences: Sequence[Silence], now: datetime, wall: datetime) -> None:
        self._rules = rules
        self._silences = silences
        self._now = now
        self._wall = wall
        self.groups = dict(groups)
        self.outcomes: dict[UUID, str] = {}
        self.notices: list[Notice] = []
        self.wait: timedelta | None = None
        """Until the first group that still gathers is complete."""

    def add(self, rows: Iterable[AlertRow]) -> None:
        """In the order they were recorded."""
        groups: dict[str, list[AlertRow]] = {}
        for row in rows:
            groups.setdefault(row.grouping, []).append(row)
        for grouping, alerts in groups.items():
            self._group(grouping, alerts)

    def digest(self, rows: Sequence[AlertRow], due: datetime) -> None:
        """Everything that waited for it, as one message."""
        told = [row for row in rows if not self._is_silenced(row)]
        self.outcomes |= {row.id: "silenced" for row in rows} | {row.id: "digested" for row in told}
        if not told:
            return
        counts: dict[str, int] = {}
        for row in told:
            counts[row.grouping] = counts.get(row.grouping, 0) + 1
        title, message = digest_text(counts, {row.grouping: _told(row) for row in told})
        about = Group(DIGEST, "-", DIGEST, Severity.LOW.word, Severity.LOW.word, self._now)
        self._tell("digest", about, title, message, tuple(str(row.id) for row in told), due.isoformat())

    def _group(self, grouping: str, rows: Sequence[AlertRow]) -> None:
        gathered: list[AlertRow] = []
        for row in rows:
            if row.resolves:
                self._fire(grouping, gathered)
                gathered = []
                self._resolve(row)
            elif (outcome := self._set_aside(row)) is not None:
                self.outcomes[row.id] = outcome
            else:
                gathered.append(row)
        if not gathered:
            return
        rest = self._wait_of(gathered)
        if rest <= timedelta(0):
            self._fire(grouping, gathered)
        else:
            self.wait = rest if self.wait is None else min(self.wait, rest)

    def _set_aside(self, row: AlertRow) -> str | None:
        """The outcome of one that is not told now."""
        severity, group = Severity.parse(row.severity), self.groups.get(row.grouping)
        if self._is_silenced(row):
            return "silenced"
        if severity is Severity.LOW:
            return "digest"
        if group is None or not group.open or severity > Severity.parse(group.severity):
            return None
        if not timedelta(0) <= self._now - group.notified_at < self._rules.repeat_interval:
            return None
        self.groups[row.grouping] = replace(group, held=group.held + 1)
        return "held"

    def _wait_of(self, gathered: Sequence[AlertRow]) -> timedelta:
        """A group that got worse does not wait."""
        group, first = self.groups.get(gathered[0].grouping), gathered[0].recorded_at
        worse = group is not None and group.open and _worst(gathered) > Severity.parse(group.severity)
        return timedelta(0) if worse or first is None else first + self._rules.group_wait - self._wall

    def _fire(self, grouping: str, gathered: Sequence[AlertRow]) -> None:
        if not gathered:
            return
        before, newest, worst = self.groups.get(grouping), gathered[-1], _worst(gathered)
        title, message = group_text([_told(row) for row in gathered], before.held if before is not None and before.open else 0)
        peak = max(worst, Severity.parse(before.peak)) if before is not None and before.open else worst
        group = Group(grouping, newest.model, newest.event_type, worst.word, peak.word, self._now)
        self.groups[grouping] = group
        self.outcomes |= {row.id: "notified" for row in gathered}
        self._tell("firing", group, title, message, tuple(str(row.id) for row in gathered), str(gathered[0].id))

    def _resolve(self, row: AlertRow) -> None:
        group = self.groups.get(row.grouping)
        if group is None or not group.open:
            self.outcomes[row.id] = "nothing_open"
            return
        self.groups[row.grouping] = replace(group, open=False, held=0)
        group = replace(group, severity=group.peak)
        if self._is_silenced(replace(row, severity=group.peak)):
            self.outcomes[row.id] = "silenced"
            return
        self.outcomes[row.id] = "resolved"
        told = _told(row)
        self._tell("resolved", group, told.title, told.message, (str(row.id),), str(row.id))

    def _tell(self, kind: NoticeKind, group: Group, title: Text, message: Text, alert_ids: tuple[str, ...], key: str) -> None:
        """To every channel that hears of this severity. The id follows from what is told, so a repeated round makes the same."""
        for channel, least in self._rules.channels.items():
            if Severity.parse(group.severity) >= least:
                notice_id = UUID(derived_id("notice", kind, channel, key))
                about = (group.grouping, group.severity, group.model, group.event_type, self._now)
                self.notices.append(Notice(notice_id, channel, kind, *about, title=title, message=message, alert_ids=alert_ids))

    def _is_silenced(self, row: AlertRow) -> bool:
        return any(one.covers(row.grouping, row.model, row.event_type, row.severity, self._now) for one in self._silences)


def _worst(rows: Sequence[AlertRow]) -> Severity:
    return max(Severity.parse(row.severity) for row in rows)


def _told(row: AlertRow) -> Told:
    title = Text(row.title, row.details.title_ko or row.title)
    return Told(row.id, row.time, row.severity, title, Text(row.message, row.details.message_ko or row.message))
