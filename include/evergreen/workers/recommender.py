"""The recommender: records what users do, and at once has new lists for them.

One consumer group: workers share the users, for a user is the key of his events. Beside its loop a thread follows the champion and Kafka's topics,
and one worker of all makes lost profiles anew and announces finished days. SIGTERM finishes the batch in hand. Any thread that ends by an error
ends the process: the supervisor starts it again, and nothing was committed that was not done."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

import structlog

from evergreen.adapters.kafka_admin import topic_ids
from evergreen.adapters.kafka_consumer import BatchConsumer
from evergreen.adapters.postgres.leadership import Leadership
from evergreen.bootstrap import Parts
from evergreen.core.errors import Unavailable
from evergreen.core.poison import Place
from evergreen.environment import service_name
from evergreen.local_stack.readiness import mark_ready
from evergreen.observability import configure_logging
from evergreen.ports.messaging import Received
from evergreen.services.quiescence import RECOMMENDER_GROUP
from evergreen.services.raise_alert import PoisonAlert
from evergreen.services.record_interactions import TOPICS
from evergreen.settings import load_settings
from evergreen.workers.intake_leader import LeaderThread
from evergreen.workers.lifetime import GuardedThread, Joinable, Lifetime
from evergreen.workers.stream_loop import StreamLoop

SERVICE = "recommender"
BATCH = 500
LOOK_SECONDS = 1.0
TOPICS_EVERY = 60.0
UPKEEP_SECONDS = 5.0
_STOP_SECONDS = 25.0
log = structlog.get_logger(__name__)


class Recommender:
    def __init__(self, parts: Parts, stop: threading.Event, failed: Callable[[BaseException], None]) -> None:
        self._parts = parts
        self._stop = stop
        self._topic_ids: dict[str, str] = {}
        self._topics_due = 0.0
        self._record = parts.recommender.record(self._topic_ids)
        make = partial(BatchConsumer, parts.settings.kafka, RECOMMENDER_GROUP, TOPICS, max_batch=BATCH)
        alert = PoisonAlert(parts.store, parts.clock)
        self.loop = StreamLoop(RECOMMENDER_GROUP, make, self._handle, stop, prepare=self._look, on_pause=alert)
        dsn = parts.settings.postgres.dsn.get_secret_value()
        self.threads: list[Joinable] = [
            GuardedThread("interactions", self.loop.run, failed),
            GuardedThread("follow", self._follow, failed),
            LeaderThread(Leadership(dsn, "recommender-upkeep"), self._upkeep, stop, failed),
        ]

    def _handle(self, messages: Sequence[Received]) -> list[Place]:
        recorded = self._record.run(messages)
        self._parts.recommender.react.run(self._record.counted, self._record.repeated)
        return list(recorded.poison)

    def _look(self) -> None:
        """Raises Unavailable."""
        if time.monotonic() >= self._topics_due:
            self._topic_ids.update(topic_ids(self._parts.settings.kafka.bootstrap_servers, TOPICS))
            self._topics_due = time.monotonic() + TOPICS_EVERY
        self._parts.recommender.champion.look()

    def _follow(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            try:
                self._look()
            except Unavailable as error:
                log.warning("cannot_look", error=str(error))

    def _upkeep(self) -> None:
        made = self._parts.recommender
        if not made.profiles.is_whole():
            made.rebuild.run()
        made.announce.run()
        self._stop.wait(UPKEEP_SECONDS)

    def run(self, lifetime: Lifetime) -> int:
        """Until told to stop."""
        for thread in self.threads:
            thread.start()
        while not self._stop.wait(0.1):
            if self.loop.ready.is_set():
                mark_ready(self._parts.settings.home, service_name(SERVICE))
                log.info("ready")
                break
        self._stop.wait()
        code = lifetime.end(self.threads, _STOP_SECONDS)
        self._parts.publisher.close(1.0)
        return code


def main() -> int:
    settings = load_settings()
    configure_logging(settings, service_name(SERVICE))
    lifetime = Lifetime()
    return Recommender(Parts(settings), lifetime.stop, lifetime.failed).run(lifetime)


if __name__ == "__main__":
    sys.exit(main())
