"""What the monitor's leader does again and again."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import structlog

from evergreen.adapters.host import host_numbers
from evergreen.adapters.postgres.leadership import Leadership
from evergreen.bootstrap import Parts
from evergreen.core.clock import wall_now
from evergreen.core.errors import Unavailable
from evergreen.ports.monitoring import LoopFigures
from evergreen.services.publish_metrics import measured_services
from evergreen.services.watch_parts import SERVING
from evergreen.services.watch_serving import Window
from evergreen.workers.monitor_probes import probes

CHECKS_POLL = 1.0
BATCHES_EVERY = timedelta(seconds=30)
FIGURES_EVERY = timedelta(seconds=30)
ANOTHER_MAY_HAVE_LED = timedelta(seconds=30)
"""A pause this long between two rounds: what was said last is compared with the table again."""
log = structlog.get_logger(__name__)


class WatchLeadership(Leadership):
    """As its parent, except that whoever cannot ask Postgres goes on watching: what is found then is recorded when it is back, and two
    copies that found the same say it once."""

    def hold(self) -> bool:
        held = super().hold()
        return held or self._connection is None


class Pulse:
    """True at most once per period."""

    def __init__(self, every: timedelta) -> None:
        self._every = every
        self._last: datetime | None = None

    def __call__(self) -> bool:
        now = wall_now()
        if self._last is not None and now - self._last < self._every:
            return False
        self._last = now
        return True


class WatchStep:
    """Parts, serving's numbers, what follows from both, and the telemetry. Nothing here needs Kafka, and nothing found is lost while
    Postgres is away."""

    def __init__(self, parts: Parts, stop: threading.Event) -> None:
        self._parts = parts
        self._stop = stop
        self._snapshot = parts.monitor.snapshot
        self._settings = parts.settings.monitor
        self._record = parts.monitor.record()
        self._watch = parts.monitor.watch_parts(probes(parts, lambda: self._snapshot.figures), self._record)
        self._serving = parts.monitor.watch_serving(self._record) if SERVING in self._watch.states else None
        self._window: Window | None = None
        self._last_round = wall_now()
        self._kafka_away_at: datetime | None = None
        self._measure = Pulse(timedelta(seconds=self._settings.publish_seconds))
        self._count = Pulse(FIGURES_EVERY)

    def __call__(self) -> None:
        begun, snapshot = wall_now(), self._snapshot
        if begun - self._last_round > ANOTHER_MAY_HAVE_LED:
            self._record.forget()
        self._last_round = begun
        snapshot.states = self._watch.run()
        if self._serving is not None:
            self._window = self._serving.run() or self._window
        snapshot.waiting = self._record.flush()
        if self._measure():
            self._look_at_queues()
            self._publish()
        self._stop.wait(max(0.1, self._settings.probe_seconds - (wall_now() - begun).total_seconds()))

    def _look_at_queues(self) -> None:
        snapshot, backlogs = self._snapshot, self._parts.monitor.backlogs
        kafka = snapshot.states.get("kafka")
        if kafka is not None and kafka.faults:  # asking would only wait
            backlogs.forget()
            self._kafka_away_at = wall_now()
        else:
            backlogs.look()
        # The relay is given its time after an outage before its queue is held against it.
        back = self._kafka_away_at is None or wall_now() - self._kafka_away_at > timedelta(seconds=self._settings.unsent_seconds) + FIGURES_EVERY
        snapshot.behind = backlogs.behind if back else {}
        if self._count():
            snapshot.figures = self._figures() or snapshot.figures

    def _figures(self) -> LoopFigures | None:
        try:
            with self._parts.store.transaction() as tx:
                return tx.observations.figures(self._parts.clock.now())
        except Unavailable as error:
            log.info("loop_not_counted", error=str(error))
            return None

    def _publish(self) -> None:
        snapshot = self._snapshot
        services = measured_services(snapshot.states, self._window, snapshot.behind, snapshot.figures, host_numbers())
        try:
            self._parts.monitor.publish.run(services, self._parts.clock.now())
        except Unavailable as error:  # no platform clock, no telemetry
            log.info("metrics_not_published", error=str(error))


class ChecksStep:
    """What needs the records: absent batches, shadow trials, experiments, the models' performance. Apart from the watching: a check may take seconds."""

    def __init__(self, parts: Parts, stop: threading.Event) -> None:
        self._stop = stop
        self._snapshot = parts.monitor.snapshot
        self._record = parts.monitor.record()
        self._batches = parts.monitor.watch_batches(self._record)
        self._models = parts.monitor.check_models
        self._trials = parts.shadow_trials
        self._experiments = parts.monitor.experiments
        self._look_for_batches = Pulse(BATCHES_EVERY)

    def __call__(self) -> None:
        if self._look_for_batches():
            self._batches.run()
            self._record.flush()
            self._trials.end()
            self._experiments.look()
        self._models.run()
        self._snapshot.every = self._models.every
        self._stop.wait(CHECKS_POLL)
