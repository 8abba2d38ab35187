"""High-volume messages to rows, in bulk.

Guarantee: a batch is written in one transaction together with its dead letters; a redelivered one adds nothing. Failure: one message of a batch
cannot be read or stored. Remedy: the batch is taken message by message, and what fails by itself goes to the dead letters with its cause.
On a control topic only telemetry is taken; the rest, broken messages too, is intake's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

import structlog

from evergreen.contracts.envelope import Event, decode, too_far_ahead
from evergreen.contracts.events import Payload
from evergreen.contracts.topics import CONTROL_TOPICS, STREAM_TYPES, TOPIC_OF, payload_of
from evergreen.core.clock import Clock
from evergreen.core.errors import InvalidEvent, Unavailable
from evergreen.core.poison import Place
from evergreen.ports.messaging import Received
from evergreen.ports.storage import Outbox
from evergreen.services.dead_letters import Poison

ATTEMPTS = 3
OLDEST = timedelta(days=400)
"""Older than any retention: a row would make a partition only to be dropped."""
log = structlog.get_logger(__name__)


@dataclass
class Recorded:
    """What became of a batch."""

    new: int = 0
    passed_over: int = 0
    poison: dict[Place, Poison] = field(default_factory=dict)


class BulkTransaction(Protocol):
    @property
    def outbox(self) -> Outbox: ...

    def savepoint(self) -> AbstractContextManager[None]:
        """What fails inside is undone alone. Raises Unavailable, and nothing else, for what is the database's fault."""


Row = TypeVar("Row")
Tx = TypeVar("Tx", bound=BulkTransaction)
Tx_co = TypeVar("Tx_co", covariant=True)


class BulkStore(Protocol[Tx_co]):
    def transaction(self) -> AbstractContextManager[Tx_co]: ...


class RecordInBulk(Generic[Tx, Row]):
    def __init__(
        self,
        store: BulkStore[Tx],
        clock: Clock,
        row_of: Callable[[Event, Payload, Received], Row | None],
        keep: Callable[[Tx, Sequence[Row]], int],
    ) -> None:
        """`row_of`: None for what others handle; raises InvalidEvent. `keep`: returns how many were new."""
        self._store = store
        self._clock = clock
        self._row_of = row_of
        self._keep = keep

    def run(self, messages: Sequence[Received]) -> Recorded:
        """Raises Unavailable when Postgres is away: nothing of the batch is written then, call again with the same batch."""
        recorded, now = Recorded(), self._clock.now()
        rows: list[tuple[Received, Row]] = []
        for message in messages:
            try:
                row = self._row(message, now)
            except InvalidEvent as error:
                self._refuse(recorded, Poison(message, error.reason, type(error.__cause__ or error).__name__, str(error)))
            except Exception as error:  # noqa: BLE001 - the edge where messages enter: one nobody foresaw must not stop the rest
                self._refuse(recorded, Poison(message, "handler_failed", type(error).__name__, str(error)))
            else:
                if row is None:
                    recorded.passed_over += 1
                else:
                    rows.append((message, row))
        with self._store.transaction() as tx:
            self._write(tx, rows, recorded)
            for poison in recorded.poison.values():
                tx.outbox.dead_letter(poison.message.key, poison.message.value, poison.headers(), poison.message.headers, poison.letter_id)
        for poison in recorded.poison.values():
            log.warning("dead_letter", reason=poison.reason, detail=poison.detail, topic=poison.message.topic, offset=poison.message.offset)
        return recorded

    def _write(self, tx: Tx, rows: Sequence[tuple[Received, Row]], recorded: Recorded) -> None:
        try:
            with tx.savepoint():
                recorded.new += self._keep(tx, [row for _, row in rows])
            return
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - the edge where messages enter: whatever one of them breaks, the others go on
            log.warning("batch_recorded_one_by_one", size=len(rows), error=f"{type(error).__name__}: {error}")
        for message, row in rows:
            self._alone(tx, message, row, recorded)

    def _alone(self, tx: Tx, message: Received, row: Row, recorded: Recorded) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with tx.savepoint():
                    recorded.new += self._keep(tx, [row])
                return
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 - as above; after the last attempt it is a dead letter with the cause in it
                if attempt == ATTEMPTS:
                    self._refuse(recorded, Poison(message, "handler_failed", type(error).__name__, str(error), attempts=attempt))

    def _refuse(self, recorded: Recorded, poison: Poison) -> None:
        if poison.message.topic in CONTROL_TOPICS and poison.reason != "handler_failed":
            recorded.passed_over += 1
        else:
            recorded.poison[poison.message.topic, poison.message.partition, poison.message.offset] = poison

    def _row(self, message: Received, now: datetime) -> Row | None:
        if message.value is None:
            raise InvalidEvent("bad_json", "the message is empty")
        event = decode(message.value)
        payload = payload_of(event)
        if message.topic in CONTROL_TOPICS and event.type not in STREAM_TYPES:
            return None
        if TOPIC_OF.get(event.type) != message.topic:
            raise InvalidEvent("wrong_topic", f"{event.type} belongs on {TOPIC_OF.get(event.type)}, not on {message.topic}")
        if too_far_ahead(event, now):
            raise InvalidEvent("future_time", f"time {event.time.isoformat()} is more than 24 h after platform time {now.isoformat()}")
        if event.time < now - OLDEST:
            raise InvalidEvent("past_time", f"time {event.time.isoformat()} is more than {OLDEST.days} days before platform time {now.isoformat()}")
        return self._row_of(event, payload, message)
