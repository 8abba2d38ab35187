"""The intake worker: control events in, decisions and actions out. `python -m evergreen.workers.intake`; any number of copies.

One process: this loop takes batches in; one copy also leads the relay, the tick and the sweeper. Nothing is lost when a part is away:
a batch in hand is tried again until Postgres takes it, and only then are its offsets committed."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime

import structlog
from confluent_kafka import KafkaException

from evergreen.adapters.kafka_admin import ensure_topics
from evergreen.adapters.kafka_consumer import BatchConsumer
from evergreen.bootstrap import Parts
from evergreen.contracts.topics import CONTROL_TOPICS
from evergreen.core.clock import wall_now
from evergreen.core.errors import EvergreenError, InvalidPolicy, Unavailable
from evergreen.core.poison import PoisonWatches
from evergreen.local_stack.readiness import mark_ready
from evergreen.observability import configure_logging
from evergreen.ports.messaging import Received
from evergreen.services.intake import Taken
from evergreen.services.quiescence import INTAKE_GROUP
from evergreen.settings import load_settings
from evergreen.workers.intake_leader import leader_threads
from evergreen.workers.lifetime import Lifetime

SERVICE = "intake"
POLL_SECONDS = 0.2
POLICY_EVERY = 2.0
LONGEST_WAIT = 5.0
THREADS_SECONDS = 2.5
log = structlog.get_logger(__name__)


class IntakeWorker:
    def __init__(self, parts: Parts, stop: threading.Event) -> None:
        self._parts = parts
        self._stop = stop
        self._watches = PoisonWatches()
        self._policy_seen_at: datetime | None = None
        self._ready = False

    def run(self) -> None:
        for consumer in self._consumers():
            with consumer:
                try:
                    self._consume(consumer)
                except KafkaException as error:
                    log.warning("consumer_replaced", error=str(error))

    def _consumers(self) -> Iterator[BatchConsumer]:
        """One, and another whenever Kafka left the last one beyond help."""
        settings = self._parts.settings.kafka
        wait = 0.5
        while not self._stop.is_set():
            try:
                ensure_topics(settings.bootstrap_servers, settings.replication_factor)
            except Unavailable as error:
                log.warning("waiting_for_kafka", error=str(error))
                self._stop.wait(wait)
                wait = min(wait * 2, LONGEST_WAIT)
                continue
            wait = 0.5
            yield BatchConsumer(settings, INTAKE_GROUP, CONTROL_TOPICS)

    def _consume(self, consumer: BatchConsumer) -> None:
        while not self._stop.is_set():
            self._watch_policy()
            messages = consumer.poll(POLL_SECONDS)
            if consumer.assigned and not self._ready:
                self._ready = True
                mark_ready(self._parts.settings.home, SERVICE)
                log.info("ready")
            if messages and (taken := self._take_in(consumer, messages)) is not None:
                consumer.commit(messages)
                self._pause_where_poisoned(consumer, messages, taken)

    def _take_in(self, consumer: BatchConsumer, messages: Sequence[Received]) -> Taken | None:
        """Until Postgres took it; None when told to stop before: then the batch is delivered again."""
        wait = 0.1
        while not self._stop.is_set():
            try:
                taken = self._parts.intake.take_in.run(messages)
            except (Unavailable, InvalidPolicy) as error:
                log.warning("batch_waits", size=len(messages), error=str(error))
            else:
                consumer.go_on()
                return taken
            consumer.keep_alive()
            self._stop.wait(wait)
            wait = min(wait * 2, LONGEST_WAIT)
        return None

    def _watch_policy(self) -> None:
        now = wall_now()
        if self._policy_seen_at is not None and (now - self._policy_seen_at).total_seconds() < POLICY_EVERY:
            return
        self._policy_seen_at = now
        try:
            self._parts.intake.running_policy.refresh()
            self._parts.intake.shadow_policy.refresh()
        except (Unavailable, InvalidPolicy) as error:
            log.warning("policy_not_read", error=str(error))

    def _pause_where_poisoned(self, consumer: BatchConsumer, messages: Sequence[Received], taken: Taken) -> None:
        places = ((message.topic, message.partition, message.offset) for message in messages)
        for partition, pause in self._watches.note_batch(places, taken.poison):
            consumer.pause(partition, wall_now() + pause)
            self._parts.intake.take_in.raise_alarm(partition, pause)


def main() -> int:
    settings = load_settings()
    configure_logging(settings, SERVICE)
    lifetime, parts = Lifetime(), Parts(settings)
    threads = leader_threads(parts, lifetime.stop, lifetime.failed)
    for thread in threads:
        thread.start()
    try:
        IntakeWorker(parts, lifetime.stop).run()
    except EvergreenError as error:
        lifetime.failed(error)
    finally:
        code = lifetime.end(threads, THREADS_SECONDS)
    return code


if __name__ == "__main__":
    sys.exit(main())
