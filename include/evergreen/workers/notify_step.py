"""One round of the notifier, for a leader thread: what was recorded becomes messages, and each channel that something waits for sends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from evergreen.bootstrap import Parts
from evergreen.core.clock import wall_now
from evergreen.core.errors import Unavailable
from evergreen.services.deliver import Deliver
from evergreen.services.notify import Notify

POLL = timedelta(seconds=1)
"""The net under the notification."""
SHORTEST = timedelta(milliseconds=20)
PRUNE_EVERY = timedelta(hours=1)
log = structlog.get_logger(__name__)


class Doorbell(Protocol):
    def wait(self, seconds: float) -> None:
        """Until something was recorded, or the time is over."""


class NotifyStep:
    """`doorbell`: the thread's `Leadership`, listening to `alerts`; without one an alert waits for the poll.

    A channel sends in a thread of its own, so a slow one holds up neither the others nor the rounds. Postgres away: Unavailable, as of any
    leader's step. A channel's thread that breaks ends the process at the next round."""

    def __init__(self, parts: Parts, stop: threading.Event, doorbell: Doorbell | None = None) -> None:
        self._notify: Notify = parts.notifier.notify
        self._deliver: Deliver = parts.notifier.deliver
        self._stop = stop
        self._wait: Callable[[float], object] = doorbell.wait if doorbell is not None else stop.wait
        self._senders: dict[str, threading.Thread] = {}
        self._broken: list[BaseException] = []
        self._pruned_at: datetime | None = None

    def __call__(self) -> None:
        if self._broken:
            raise self._broken[0]
        self._keep_house()
        gathering = self._notify.run()
        for channel in self._deliver.due():
            self._start(channel)
        rest = POLL if gathering is None else min(POLL, max(SHORTEST, gathering))
        if not self._stop.is_set():
            self._wait(rest.total_seconds())

    def join(self, timeout: float) -> None:
        """For a test, or a stop that lets a message in hand arrive."""
        for sender in self._senders.values():
            sender.join(timeout)

    def _start(self, channel: str) -> None:
        running = self._senders.get(channel)
        if running is not None and running.is_alive():
            return
        self._senders[channel] = threading.Thread(target=self._send, args=(channel,), name=f"channel-{channel}", daemon=True)
        self._senders[channel].start()

    def _send(self, channel: str) -> None:
        try:
            self._deliver.run(channel)
        except Unavailable as error:
            log.warning("channel_waits", channel=channel, error=str(error))
        except BaseException as error:  # noqa: BLE001 - the edge of a thread: a silent death would be seen as nothing to tell
            self._broken.append(error)

    def _keep_house(self) -> None:
        now = wall_now()
        if self._pruned_at is None or now - self._pruned_at >= PRUNE_EVERY:
            self._notify.abandon_lost_channels()
            self._notify.prune()
            self._pruned_at = now
