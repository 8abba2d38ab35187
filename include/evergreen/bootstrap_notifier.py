"""The parts of the notifier, for the worker that runs it and for `evergreen alerts`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from evergreen.adapters.channels import channels
from evergreen.core.clock import WallClock
from evergreen.core.severity import Severity
from evergreen.ports.notifier import Notifier
from evergreen.services.deliver import Deliver
from evergreen.services.notify import Notify
from evergreen.services.plan_notices import NotifyRules

if TYPE_CHECKING:
    from evergreen.bootstrap import Parts


class NotifierParts:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._settings = parts.settings.notify

    @cached_property
    def channels(self) -> Mapping[str, Notifier]:
        return channels(self._settings, self._parts.settings.channels, self._parts.settings.home)

    @cached_property
    def notify(self) -> Notify:
        settings = self._settings
        least = {name: Severity.parse(channel.min_severity) for name, channel in self._parts.settings.channels.items()}
        rules = NotifyRules(least, timedelta(seconds=settings.group_wait_seconds), timedelta(hours=settings.repeat_hours))
        return Notify(self._parts.store, self._parts.clock, WallClock(), rules, settings.digest_at, ZoneInfo(settings.timezone))

    @cached_property
    def deliver(self) -> Deliver:
        return Deliver(self._parts.store, WallClock(), self.channels, max_attempts=self._settings.max_attempts)
