"""Kafka behind the publishing ports: events from apps and loaders, raw outbox rows from the relay."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from evergreen.adapters.kafka_admin import DEAD_LETTER_PRODUCER_BYTES
from evergreen.contracts.envelope import CONTENT_TYPE, Event, encode, stamped
from evergreen.contracts.topics import TOPIC_OF
from evergreen.core.clock import wall_now
from evergreen.core.errors import InvalidEvent, PublishFailed
from evergreen.ports.messaging import Outgoing, Position, SendFault

if TYPE_CHECKING:
    from evergreen.settings import KafkaSettings

log = structlog.get_logger(__name__)
EVENT_HEADERS = [("content-type", CONTENT_TYPE.encode())]
_PERMANENT = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG_SIZE, KafkaError.INVALID_RECORD})
silent_logger = logging.getLogger("evergreen.librdkafka")
silent_logger.addHandler(logging.NullHandler())
silent_logger.propagate = False  # the library's own lines repeat what the callbacks say
MAX_WAITING_TELEMETRY = 10_000


def producer_config(settings: KafkaSettings) -> dict[str, Any]:
    """Idempotent, acknowledged by all replicas, confirmed or failed within the delivery timeout."""
    return {
        "bootstrap.servers": settings.bootstrap_servers,
        "enable.idempotence": True,
        "acks": "all",
        "linger.ms": 2,
        "compression.type": "zstd",
        "delivery.timeout.ms": int(settings.delivery_timeout_seconds * 1000),
        "retry.backoff.ms": 100,
        "retry.backoff.max.ms": 1000,
        "socket.keepalive.enable": True,
        "log_level": 0,
    }


class KafkaPublisher:
    """Thread-safe. A fatal error of the idempotent producer (an epoch lost while the broker was away) costs one failed publish:
    the next one gets a new producer."""

    def __init__(self, settings: KafkaSettings, *, max_waiting_telemetry: int = MAX_WAITING_TELEMETRY) -> None:
        self._settings = settings
        self._max_waiting = max_waiting_telemetry
        self._lock = threading.Lock()
        self._producer: Producer | None = None
        self._stop = threading.Event()
        self._poller: threading.Thread | None = None
        self._waiting = 0
        self.dropped = 0
        """Telemetry events that never reached Kafka: the buffer was full or the delivery failed."""

    def publish(self, event: Event) -> Position:
        [position] = self.publish_all([event])
        return position

    def publish_all(self, events: Iterable[Event]) -> list[Position]:
        """Many at once, one wait for all acknowledgements. Raises PublishFailed naming the first that failed; repeat all with the same ids."""
        pending = [_Pending(event) for event in events]
        producer = self._current()
        for one in pending:
            self._produce(producer, one.event, one.settle)
        producer.flush(0)
        for one in pending:
            # The delivery timeout ends every wait; the margin is for the report to travel.
            settled = one.done.wait(self._settings.delivery_timeout_seconds + 1)
            if not settled or one.error is not None:
                raise PublishFailed(f"{one.event.type} {one.event.id} was not acknowledged: {one.error or 'no answer'}; publish it again with the same id")
        return [one.position for one in pending]

    def publish_soon(self, event: Event) -> bool:
        with self._lock:
            if self._waiting >= self._max_waiting:
                self._count_drop()
                return False
            self._waiting += 1
        try:
            self._produce(self._current(), event, self._settle_telemetry)
        except (InvalidEvent, PublishFailed) as error:
            with self._lock:
                self._waiting -= 1
                self._count_drop()
            log.warning("telemetry_dropped", type=event.type, error=str(error))
            return False
        return True

    def flush(self, timeout_seconds: float) -> int:
        producer = self._producer
        return 0 if producer is None else int(producer.flush(timeout_seconds))

    def close(self, timeout_seconds: float = 5.0) -> int:
        """Flush and stop the polling thread; returns how many events are still unsent."""
        unsent = self.flush(timeout_seconds)
        self._stop.set()
        if self._poller is not None:
            self._poller.join(timeout=1)
        return unsent

    def _produce(self, producer: Producer, event: Event, settle: Callable[[KafkaError | None, Message], None]) -> None:
        body = encode(stamped(event, wall_now()))
        topic = TOPIC_OF.get(event.type)
        if topic is None:
            raise InvalidEvent("unknown_type", f"no topic carries {event.type!r}")
        try:
            producer.produce(topic, value=body, key=event.subject.encode(), headers=EVENT_HEADERS, on_delivery=settle)
        except (BufferError, KafkaException) as error:
            raise PublishFailed(f"{event.type} {event.id} was not sent: {error}") from error

    def _current(self) -> Producer:
        with self._lock:
            if self._producer is None or self._stop.is_set():
                self._stop.clear()
                self._producer = Producer(producer_config(self._settings) | {"error_cb": self._on_error, "logger": silent_logger})
            if self._poller is None or not self._poller.is_alive():
                self._poller = threading.Thread(target=self._poll, name="kafka-publisher", daemon=True)
                self._poller.start()
            return self._producer

    def _poll(self) -> None:
        while not self._stop.is_set():
            producer = self._producer
            if producer is None:
                self._stop.wait(0.05)
            else:
                producer.poll(0.1)

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            log.warning("kafka_producer_replaced", error=str(error))
            with self._lock:
                self._producer = None

    def _settle_telemetry(self, error: KafkaError | None, _message: Message) -> None:
        with self._lock:
            self._waiting -= 1
            if error is not None:
                self._count_drop()

    def _count_drop(self) -> None:
        self.dropped += 1


class _Pending:
    def __init__(self, event: Event) -> None:
        self.event = event
        self.done = threading.Event()
        self.error: str | None = None
        self.position = Position(TOPIC_OF.get(event.type, ""), -1, -1)

    def settle(self, error: KafkaError | None, message: Message) -> None:
        self.error = None if error is None else str(error)
        if error is None:
            self.position = self.position._replace(partition=message.partition(), offset=message.offset())
        self.done.set()


class KafkaMessenger:
    """The relay's producer.

    Guarantee: messages of one partition are written in their order, each at least once. Failure: one times out while its successors
    are under way. Remedy: all share one deadline, so they fail together; whatever was not acknowledged goes again in order, through a
    new producer. (The library's own gap-less mode is no choice: its fatal error breaks the delivery reports of this binding.)"""

    def __init__(self, settings: KafkaSettings) -> None:
        self._config = producer_config(settings) | {"message.max.bytes": DEAD_LETTER_PRODUCER_BYTES, "error_cb": _ignore, "logger": silent_logger}
        self._timeout = settings.delivery_timeout_seconds + 1
        self._producer: Producer | None = None

    def send(self, messages: Sequence[Outgoing]) -> Sequence[SendFault | None]:
        faults: list[SendFault | None] = [SendFault("no answer", permanent=False)] * len(messages)
        producer = self._producer = self._producer or Producer(self._config)
        for position, message in enumerate(messages):
            try:
                producer.produce(
                    message.topic,
                    value=message.value,
                    key=message.key,
                    headers=list(message.headers),
                    on_delivery=partial(_settle, faults, position),
                )
            except (BufferError, KafkaException) as error:
                faults[position] = _fault(error)
                break  # whatever follows must not overtake it
        unsent = producer.flush(self._timeout)
        if unsent or any(fault is not None for fault in faults):
            self._producer = None
        return faults


def _ignore(error: KafkaError) -> None:
    """Each message reports its own fault; this is only for the log."""
    log.debug("kafka_error", error=str(error))


def _settle(faults: list[SendFault | None], position: int, error: KafkaError | None, _message: Message) -> None:
    faults[position] = None if error is None else SendFault(str(error), permanent=error.code() in _PERMANENT)


def _fault(error: BaseException) -> SendFault:
    cause = error.args[0] if error.args else error
    return SendFault(str(cause), permanent=isinstance(cause, KafkaError) and cause.code() in _PERMANENT)
