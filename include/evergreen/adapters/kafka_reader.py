"""Reading topics for a person: every partition, no group, nothing committed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition

from evergreen.adapters.kafka_consumer import to_received
from evergreen.contracts.envelope import new_id
from evergreen.core.clock import wall_now
from evergreen.core.errors import NotFound, Unavailable
from evergreen.ports.messaging import Received

_SECONDS = 10.0


def read_topics(bootstrap_servers: str, topics: Sequence[str], *, from_beginning: bool, until_end: bool, newest: int | None = None) -> Iterator[Received]:
    """Messages as they stand, in the order of each partition; with `until_end`, those that are there now, with `newest` so many of each partition.
    Raises Unavailable when Kafka does not answer, NotFound for a topic it does not have."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": f"evergreen-reader-{new_id()}",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 100,
            "log_level": 0,
            "error_cb": lambda _error: None,
        }
    )
    try:
        partitions = _partitions(consumer, bootstrap_servers, topics)
        start = OFFSET_BEGINNING if from_beginning else OFFSET_END
        starts = [start if newest is None else _place_of_newest(consumer, *each, newest) for each in partitions]
        consumer.assign([TopicPartition(*each, at) for each, at in zip(partitions, starts, strict=True)])
        yield from _messages(consumer, set(partitions) if until_end else None)
    except KafkaException as error:
        raise Unavailable("Kafka does not answer", inside=f"{bootstrap_servers}: {error.args[0]}") from error
    finally:
        consumer.close()


def _messages(consumer: Consumer, open_partitions: set[tuple[str, int]] | None) -> Iterator[Received]:
    """Raises Unavailable when what is there cannot be read to its end: no broker says so by itself."""
    heard = time.monotonic()
    while open_partitions is None or open_partitions:
        message = consumer.poll(0.5)
        if message is None:
            if open_partitions is not None and time.monotonic() - heard > _SECONDS:
                raise Unavailable("Kafka stopped answering while it was read")
            continue
        heard = time.monotonic()
        error = message.error()
        if error is None:
            yield to_received(message, wall_now())
        elif error.code() == KafkaError._PARTITION_EOF:
            if open_partitions is not None:
                open_partitions.discard((message.topic(), message.partition()))
        elif error.fatal():
            raise KafkaException(error)


def _place_of_newest(consumer: Consumer, topic: str, partition: int, count: int) -> int:
    first, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=_SECONDS)
    return max(int(first), int(end) - count)


def _partitions(consumer: Consumer, bootstrap_servers: str, topics: Sequence[str]) -> list[tuple[str, int]]:
    known = consumer.list_topics(timeout=_SECONDS).topics
    for topic in topics:
        if topic not in known:
            raise NotFound(f"Kafka at {bootstrap_servers} has no topic {topic!r}")
    return [(topic, partition) for topic in topics for partition in known[topic].partitions]
