"""One consumer group's loop: take a batch, handle it, commit.

Guarantee: an offset is committed only after its message was handled or is a dead letter. Failure: Postgres, Redis or Kafka goes away, a
partition brings mostly poison. Remedy: the batch in hand is tried again with growing waits while the consumer stays in its group; a
consumer beyond help is replaced; that one partition rests, twice as long each time, and the others go on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from functools import partial

import structlog
from confluent_kafka import KafkaException

from evergreen.adapters.kafka_consumer import BatchConsumer
from evergreen.core.clock import wall_now
from evergreen.core.errors import Unavailable
from evergreen.core.poison import Place, PoisonWatches
from evergreen.ports.messaging import Received

POLL_SECONDS = 0.5
FIRST_WAIT, LONGEST_WAIT = 0.2, 5.0
log = structlog.get_logger(__name__)


class StreamLoop:
    def __init__(
        self,
        name: str,
        make_consumer: Callable[[], BatchConsumer],
        handle: Callable[[Sequence[Received]], Collection[Place]],
        stop: threading.Event,
        *,
        prepare: Callable[[], None] = lambda: None,
        on_pause: Callable[[str, int, timedelta], None] = lambda _topic, _partition, _pause: None,
    ) -> None:
        """`handle` returns where poison stood; it and `prepare` (before the first message) raise Unavailable to be called again."""
        self.name = name
        self.ready = threading.Event()
        """Prepared, and partitions assigned once."""
        self._make_consumer = make_consumer
        self._handle = handle
        self._prepare = prepare
        self._on_pause = on_pause
        self._stop = stop
        self._watches = PoisonWatches()

    def run(self) -> None:
        if not self._until_available(self._prepare, lambda: None):
            return
        while not self._stop.is_set():
            try:
                with self._make_consumer() as consumer:
                    self._consume(consumer)
            except KafkaException as error:
                log.warning("consumer_replaced", loop=self.name, error=str(error))
                self._stop.wait(1.0)

    def _consume(self, consumer: BatchConsumer) -> None:
        while not self._stop.is_set():
            messages = consumer.poll(POLL_SECONDS)
            if consumer.assigned:
                self.ready.set()
            if not messages:
                continue
            poison: list[Place] = []
            if not self._until_available(partial(self._handle_into, poison, messages), consumer.keep_alive):
                return  # stopped with the batch in hand: it comes again
            consumer.commit(messages)
            consumer.go_on()
            self._watch(consumer, messages, set(poison))

    def _handle_into(self, poison: list[Place], messages: Sequence[Received]) -> None:
        poison[:] = self._handle(messages)

    def _until_available(self, step: Callable[[], None], meanwhile: Callable[[], None]) -> bool:
        """False when told to stop before it worked."""
        wait = FIRST_WAIT
        while not self._stop.is_set():
            try:
                step()
            except Unavailable as error:
                log.warning("waiting", loop=self.name, seconds=wait, error=str(error))
                meanwhile()
                self._stop.wait(wait)
                wait = min(wait * 2, LONGEST_WAIT)
            else:
                return True
        return False

    def _watch(self, consumer: BatchConsumer, messages: Sequence[Received], poison: set[Place]) -> None:
        places = ((message.topic, message.partition, message.offset) for message in messages)
        for (topic, partition), pause in self._watches.note_batch(places, poison):
            consumer.pause((topic, partition), wall_now() + pause)
            log.error("partition_paused", topic=topic, partition=partition, seconds=pause.total_seconds())
            self._on_pause(topic, partition, pause)
