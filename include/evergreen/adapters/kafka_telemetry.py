"""Telemetry to Kafka from an event loop: bytes into librdkafka's queue, a few microseconds each, without a thread of ours.

Guarantee: `tell` never waits and never raises. Failure: the queue is full, the broker is away or refuses. Remedy: the message is dropped and
counted; only failures are reported back, so what goes well costs nothing. Its own producer: a flood here delays no other publisher."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from evergreen.settings import KafkaSettings


MAX_QUEUED = 10_000
MAX_QUEUED_KILOBYTES = 8 * 1024
"""While the broker is away a worker's memory must stay what it is."""
LINGER_MILLISECONDS = 50
"""Nobody waits for telemetry: fewer and larger batches cost the worker and the broker less."""
log = structlog.get_logger(__name__)


class KafkaTelemetry:
    """Belongs to one thread. Connects at the first message."""

    def __init__(self, settings: KafkaSettings, *, on_drop: Callable[[int], None]) -> None:
        self._settings = settings
        self._on_drop = on_drop
        self._producer: Any = None
        self._failures: tuple[type[BaseException], ...] = ()

    def tell(self, topic: str, messages: Sequence[tuple[bytes, bytes]]) -> None:
        if self._producer is None:
            self._connect()
        produce, headers = self._producer.produce, self._headers
        for key, value in messages:
            try:
                produce(topic, value, key, headers=headers)
            except self._failures:  # the queue is full, or the producer broke for good: the next call gets a new one
                self._on_drop(1)
        self._producer.poll(0)

    def close(self, timeout_seconds: float) -> None:
        """Send what is queued; what is not gone by then is dropped and counted. Blocks: not for the event loop."""
        if self._producer is not None and (unsent := self._producer.flush(timeout_seconds)):
            self._on_drop(unsent)

    def _connect(self) -> None:
        from confluent_kafka import KafkaException, Producer

        from evergreen.adapters.kafka import EVENT_HEADERS, producer_config, silent_logger

        self._failures = (BufferError, KafkaException)
        self._headers = EVENT_HEADERS
        bounded = {
            "queue.buffering.max.messages": MAX_QUEUED,
            "queue.buffering.max.kbytes": MAX_QUEUED_KILOBYTES,
            "linger.ms": LINGER_MILLISECONDS,
            "compression.type": "lz4",
        }  # faster than the publishers' zstd, and gone soon
        reports = {"delivery.report.only.error": True, "on_delivery": self._settle, "error_cb": self._on_error, "logger": silent_logger}
        self._producer = Producer(producer_config(self._settings) | bounded | reports)

    def _settle(self, error: Any, _message: Any) -> None:
        if error is not None:
            self._on_drop(1)

    def _on_error(self, error: Any) -> None:
        """A fatal error of the idempotent producer (an epoch lost while the broker was away) ends it."""
        if error.fatal():
            log.warning("telemetry_producer_replaced", error=str(error))
            self._connect()
