"""A test message through every channel at once, past grouping, silences and retries: does it arrive?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from evergreen.contracts.actions import NO_MODEL
from evergreen.contracts.envelope import new_id
from evergreen.core.clock import Clock
from evergreen.core.notices import Notice, Text
from evergreen.ports.notifier import NotDelivered, Notifier

TITLE = Text("[low] Evergreen: test message", "[낮음] Evergreen: 시험 알림")
MESSAGE = Text("This channel is set up. Nothing has to be done.", "이 채널은 설정되어 있습니다. 조치할 일은 없습니다.")


@dataclass(frozen=True)
class Tried:
    channel: str
    error: str | None


def try_channels(channels: Mapping[str, Notifier], clock: Clock) -> list[Tried]:
    return [Tried(name, _tried(name, notifier, clock)) for name, notifier in channels.items()]


def _tried(name: str, notifier: Notifier, clock: Clock) -> str | None:
    about = ("low", NO_MODEL, "test", clock.now())
    try:
        notifier.send(Notice(UUID(new_id()), name, "test", "test", *about, title=TITLE, message=MESSAGE))
    except NotDelivered as error:
        return str(error)
    return None
