"""The threads only one copy of the intake worker runs: the relay, the tick with the sweeper, and the picture of the champions in MLflow."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from evergreen.adapters.postgres.leadership import Leadership
from evergreen.bootstrap import Parts
from evergreen.core.clock import wall_now
from evergreen.core.errors import EvergreenError
from evergreen.workers.lifetime import GuardedThread

RELAY_POLL = 0.25
"""A notification comes sooner; this is the net under it."""
TICK_EVERY = 1.0
EXPIRE_EVERY = timedelta(seconds=5)
PRUNE_EVERY = timedelta(hours=1)
PROJECT_EVERY = 2.0
"""An alias moved by hand is back within 5 s, also on a busy machine."""
PATIENCE = 1.0
log = structlog.get_logger(__name__)


class LeaderThread(GuardedThread):
    """Runs `step` again and again while this process leads. What fails with an error of ours (a part that is away, a state that moved
    while it was decided on) is tried again; anything else ends the process, and the supervisor starts it anew."""

    def __init__(self, lead: Leadership, step: Callable[[], None], stop: threading.Event, failed: Callable[[BaseException], None]) -> None:
        super().__init__(type(step).__name__, self._while_leading, failed)
        self._lead = lead
        self._step = step
        self._stop = stop

    def _while_leading(self) -> None:
        try:
            while not self._stop.is_set():
                if not self._lead.hold():
                    self._stop.wait(PATIENCE)
                    continue
                try:
                    self._step()
                except EvergreenError as error:
                    log.warning("leader_waits", step=self._thread.name, exception_class=type(error).__name__, error=str(error))
                    self._stop.wait(PATIENCE)
        finally:
            self._lead.close()


class RelayStep:
    def __init__(self, parts: Parts, lead: Leadership, stop: threading.Event) -> None:
        self._relay = parts.intake.relay
        self._lead = lead
        self._stop = stop
        self._pruned_at: datetime | None = None

    def __call__(self) -> None:
        sent, in_vain = self._relay.run()
        if in_vain:
            self._stop.wait(PATIENCE)
        elif not sent:
            self._prune()
            self._lead.wait(RELAY_POLL)

    def _prune(self) -> None:
        now = wall_now()
        if self._pruned_at is None or now - self._pruned_at >= PRUNE_EVERY:
            self._pruned_at = now
            self._relay.prune()


class TickStep:
    def __init__(self, parts: Parts, stop: threading.Event) -> None:
        self._tick = parts.intake.tick
        self._sweep = parts.intake.sweep
        self._stop = stop
        self._expired_at: datetime | None = None

    def __call__(self) -> None:
        self._tick.run()
        now = wall_now()
        if self._expired_at is None or now - self._expired_at >= EXPIRE_EVERY:
            self._expired_at = now
            self._sweep.expire()
        self._sweep.ring()
        self._stop.wait(TICK_EVERY)


class ProjectionStep:
    """MLflow's aliases follow Postgres within seconds, also when somebody moved one by hand."""

    def __init__(self, parts: Parts, stop: threading.Event) -> None:
        self._parts = parts
        self._stop = stop

    def __call__(self) -> None:
        self._parts.projection.try_reconcile()
        self._stop.wait(PROJECT_EVERY)


def leader_threads(parts: Parts, stop: threading.Event, failed: Callable[[BaseException], None]) -> list[LeaderThread]:
    dsn = parts.settings.postgres.dsn.get_secret_value()
    relay, tick, projection = Leadership(dsn, "relay", listen="outbox"), Leadership(dsn, "tick"), Leadership(dsn, "projection")
    steps: list[tuple[Leadership, Callable[[], None]]] = [
        (relay, RelayStep(parts, relay, stop)),
        (tick, TickStep(parts, stop)),
        (projection, ProjectionStep(parts, stop)),
    ]
    return [LeaderThread(lead, step, stop, failed) for lead, step in steps]
