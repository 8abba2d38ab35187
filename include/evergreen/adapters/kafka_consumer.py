"""The consumer loop of a control worker: batches, offsets after the work, one partition paused at a time."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import TracebackType

import structlog
from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer, KafkaError, KafkaException, Message, TopicPartition

from evergreen.core.clock import wall_now
from evergreen.ports.messaging import Received
from evergreen.settings import KafkaSettings

log = structlog.get_logger(__name__)
_silent = logging.getLogger("evergreen.librdkafka")
_HARMLESS = frozenset({KafkaError._PARTITION_EOF, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError.UNKNOWN_TOPIC_OR_PART})
COMMIT_MILLISECONDS = 100
Partition = tuple[str, int]


class BatchConsumer:
    """Guarantee: an offset is committed only after `commit` was called for its message, and then as long as the partition is ours.
    Failure: the process dies, the group moves partitions; Kafka refuses a commit while the group finds itself anew. Remedy: the message
    comes again, here or elsewhere, and the handling is idempotent; the library commits what it holds on every tick, when a partition
    goes and at the end, so a refused one is made good by the next. Kafka away: the library reconnects by itself; what it cannot mend (a
    fatal error) raises KafkaException, and the caller makes a new consumer."""

    def __init__(self, settings: KafkaSettings, group: str, topics: Sequence[str], *, max_batch: int = 200) -> None:
        self._max_batch = max_batch
        self._paused: dict[Partition, datetime] = {}
        self._halted = False
        self.assigned = False
        self._consumer = Consumer(
            {
                "bootstrap.servers": settings.bootstrap_servers,
                "group.id": group,
                "enable.auto.commit": True,
                "auto.commit.interval.ms": COMMIT_MILLISECONDS,
                "enable.auto.offset.store": False,  # only what `commit` stores
                "auto.offset.reset": "earliest",
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": 6_000,
                "max.poll.interval.ms": 300_000,
                "topic.metadata.refresh.interval.ms": 10_000,
                "reconnect.backoff.max.ms": 1_000,
                "fetch.wait.max.ms": 100,
                "queued.max.messages.kbytes": 16_384,
                "socket.keepalive.enable": True,
                "error_cb": _note,
                "logger": _silent,
                "log_level": 0,
            }
        )
        self._consumer.subscribe(list(topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke)

    def poll(self, timeout_seconds: float) -> list[Received]:
        """What is there, at most a batch: waits for the first message only. Raises KafkaException when this consumer is beyond help."""
        self._resume()
        first = self._consumer.poll(timeout_seconds)
        if first is None:
            return []
        more = self._consumer.consume(self._max_batch - 1, timeout=0)
        received_at = wall_now()
        return [to_received(message, received_at) for message in [first, *more] if not _is_error(message)]

    def keep_alive(self) -> None:
        """Between attempts at a batch in hand: stays in the group without taking more in."""
        if not self._halted:
            self._consumer.pause(self._consumer.assignment())
            self._halted = True
        message = self._consumer.poll(0)
        if message is not None and not _is_error(message):
            self._seek(message)

    def go_on(self) -> None:
        """The batch in hand is done."""
        if self._halted:
            self._halted = False
            self._consumer.resume([one for one in self._consumer.assignment() if (one.topic, one.partition) not in self._paused])

    def commit(self, messages: Sequence[Received]) -> None:
        """With the library's next tick. Those of partitions that have gone meanwhile come again to their new owner."""
        newest: dict[Partition, int] = {}
        for message in messages:
            newest[message.topic, message.partition] = message.offset + 1
        try:
            self._consumer.store_offsets(offsets=[TopicPartition(*partition, offset) for partition, offset in newest.items()])
        except KafkaException as error:
            if error.args[0].code() != KafkaError._STATE:  # every one of them has gone
                raise
            log.info("partitions_had_gone", partitions=[f"{topic}[{number}]" for topic, number in newest])

    def pause(self, partition: Partition, until: datetime) -> None:
        self._paused[partition] = until
        self._consumer.pause([TopicPartition(*partition)])

    def paused(self) -> Mapping[Partition, datetime]:
        return dict(self._paused)

    def _resume(self) -> None:
        over = [partition for partition, until in self._paused.items() if until <= wall_now()]
        for partition in over:
            del self._paused[partition]
            if partition in {(one.topic, one.partition) for one in self._consumer.assignment()}:
                self._consumer.resume([TopicPartition(*partition)])

    def _seek(self, message: Message) -> None:
        """A message that slipped through a pause is taken again later."""
        self._consumer.seek(TopicPartition(message.topic(), message.partition(), message.offset()))

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign(partitions)
        self.assigned = True
        held = [one for one in partitions if self._halted or (one.topic, one.partition) in self._paused]
        if held:
            consumer.pause(held)
        log.info("partitions_assigned", partitions=[f"{one.topic}[{one.partition}]" for one in partitions])

    def _on_revoke(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for one in partitions:
            self._paused.pop((one.topic, one.partition), None)
        log.info("partitions_revoked", count=len(partitions))

    def close(self) -> None:
        self._consumer.close()

    def __enter__(self) -> BatchConsumer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _is_error(message: Message) -> bool:
    error = message.error()
    if error is None:
        return False
    if error.fatal() or (error.code() not in _HARMLESS and not error.retriable()):
        raise KafkaException(error)
    log.info("kafka_error", error=str(error))
    return True


def to_received(message: Message, received_at: datetime) -> Received:
    kind, milliseconds = message.timestamp()
    return Received(
        topic=message.topic(),
        partition=message.partition(),
        offset=message.offset(),
        key=message.key(),
        value=message.value(),
        headers=tuple(message.headers() or ()),
        received_at=received_at,
        sent_at=None if kind == TIMESTAMP_NOT_AVAILABLE else datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds),
    )


def _note(error: KafkaError) -> None:
    log.info("kafka_error", error=str(error))
