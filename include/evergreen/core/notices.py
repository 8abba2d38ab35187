"""What a channel delivers: one notice, in both languages, about a group of alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from evergreen.core.severity import Severity

Language = Literal["ko", "en", "both"]
NoticeKind = Literal["firing", "resolved", "digest", "test"]
MOST_LINES = 10


@dataclass(frozen=True)
class Text:
    en: str
    ko: str

    def told(self, language: Language, between: str) -> str:
        """Korean first where both are asked for; once where they are the same."""
        if language == "both" and self.ko != self.en:
            return f"{self.ko}{between}{self.en}"
        return self.ko if language == "ko" else self.en


@dataclass(frozen=True)
class Told:
    """One alert as a notice tells it."""

    id: UUID
    time: datetime
    severity: str
    title: Text
    message: Text


@dataclass(frozen=True)
class Notice:
    id: UUID
    """The same however often it is sent: a receiver knows a repeat by it."""
    channel: str
    kind: NoticeKind
    grouping: str
    severity: str
    model: str
    event_type: str
    time: datetime
    """Platform time."""
    title: Text
    message: Text
    alert_ids: tuple[str, ...] = ()

    def facts(self, language: Language) -> dict[str, Any]:
        """As a program reads it: JSON of simple values."""
        return {
            "id": str(self.id),
            "kind": self.kind,
            "severity": self.severity,
            "model": self.model,
            "event_type": self.event_type,
            "group": self.grouping,
            "time": self.time.isoformat(),
            "title": self.title.told(language, " / "),
            "message": self.message.told(language, "\n"),
            "alerts": list(self.alert_ids),
        }


def group_text(alerts: Sequence[Told], held: int) -> tuple[Text, Text]:
    """One message for a group: the worst alert is its title, the others follow. `held`: how many came since the last message and were not sent."""
    worst = max(alerts, key=lambda one: Severity.parse(one.severity))
    more = len(alerts) - 1
    if not more:
        title, message = worst.title, worst.message
    else:
        title = Text(f"{worst.title.en} and {more} more", f"{worst.title.ko} 외 {more}건")
        message = Text("\n".join(_lines(alerts, "en")), "\n".join(_lines(alerts, "ko")))
    if not held:
        return title, message
    held_en, held_ko = f"{held} more came since the last message and were held back.", f"지난 알림 이후 {held}건은 보내지 않았습니다."
    return title, Text(f"{message.en}\n{held_en}", f"{message.ko}\n{held_ko}")


def digest_text(counts: Mapping[str, int], latest: Mapping[str, Told]) -> tuple[Text, Text]:
    """By group: how often, and the newest."""
    total, shown = sum(counts.values()), sorted(counts, key=lambda one: (-counts[one], one))[: 2 * MOST_LINES]
    en = [f"- {counts[one]} x {latest[one].title.en}: {latest[one].message.en}" for one in shown]
    ko = [f"- {counts[one]}건 {latest[one].title.ko}: {latest[one].message.ko}" for one in shown]
    if len(counts) > len(shown):
        en.append(f"… and {len(counts) - len(shown)} more groups; see `evergreen alerts list`.")
        ko.append(f"… 외 {len(counts) - len(shown)}개 그룹; `evergreen alerts list`로 확인하세요.")
    return Text(f"[low] Digest: {total} alerts", f"[낮음] 요약: 알림 {total}건"), Text("\n".join(en), "\n".join(ko))


def _lines(alerts: Sequence[Told], language: Language) -> list[str]:
    lines = [f"- {one.time:%m-%d %H:%M} {one.title.told(language, '')}: {one.message.told(language, '')}" for one in alerts[:MOST_LINES]]
    if len(alerts) > MOST_LINES:
        more = len(alerts) - MOST_LINES
        lines.append(f"… 외 {more}건; `evergreen alerts list`로 확인하세요." if language == "ko" else f"… and {more} more; see `evergreen alerts list`.")
    return lines


@dataclass(frozen=True)
class Silence:
    """Nothing is sent about what it covers, until its time; somebody said why."""

    id: UUID
    until: datetime
    """Platform time."""
    who: str
    reason: str
    created_at: datetime
    """Platform time."""
    model: str | None = None
    """Or service, dataset, topic: what a group is about. None: any."""
    event_type: str | None = None
    up_to: str = "critical"
    """The highest severity it covers."""
    ended_at: datetime | None = None
    """Before its time; platform time."""
    ended_by: str | None = None
    """None, of one that was ended: nobody wrote it down then."""

    def covers(self, grouping: str, model: str, event_type: str, severity: str, now: datetime) -> bool:
        if self.ended_at is not None or not self.created_at <= now < self.until:
            return False
        about = self.model is None or self.model in (model, grouping.partition("|")[0])
        of_type = self.event_type is None or self.event_type == event_type
        return about and of_type and Severity.parse(severity) <= Severity.parse(self.up_to)
