"""High-volume events, written down in batches: predictions, feedback, metrics.

Guarantee: an event is recorded once, whatever is delivered again, and nothing is passed over in silence. Failure: one message of a batch
cannot be read or stored. Remedy: the batch is taken message by message, and what fails by itself goes to the dead letters with its cause.
On a control topic only telemetry is taken; the rest, broken messages too, is intake's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from evergreen.contracts.envelope import Event, decode, too_far_ahead
from evergreen.contracts.events import PredictionCompleted, PredictionFeedback, SystemMetrics
from evergreen.contracts.topics import CONTROL_TOPICS, STREAM_TYPES, TOPIC_OF, payload_of
from evergreen.core.clock import Clock
from evergreen.core.errors import InvalidEvent, Unavailable
from evergreen.ports.index import FeedbackRow, IndexStore, IndexTransaction, MetricsRow, PredictionRow
from evergreen.ports.messaging import Received
from evergreen.ports.model import ModelSpec
from evergreen.services.dead_letters import Poison

TOPICS = ("prediction.completed", "prediction.feedback", "system.metrics")
ATTEMPTS = 3
OLDEST = timedelta(days=400)
"""Older than any retention: a row would make a partition only to be dropped."""
Row = PredictionRow | FeedbackRow | MetricsRow
Place = tuple[str, int, int]
log = structlog.get_logger(__name__)


@dataclass
class Recorded:
    """What became of a batch."""

    new: int = 0
    passed_over: int = 0
    poison: dict[Place, Poison] = field(default_factory=dict)


class RecordStream:
    def __init__(self, store: IndexStore, clock: Clock, specs: Mapping[str, ModelSpec]) -> None:
        self._store = store
        self._clock = clock
        self._specs = specs

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

    def _write(self, tx: IndexTransaction, rows: Sequence[tuple[Received, Row]], recorded: Recorded) -> None:
        try:
            with tx.savepoint():
                recorded.new += store_rows(tx, [row for _, row in rows])
            return
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - the edge where messages enter: whatever one of them breaks, the others go on
            log.warning("batch_recorded_one_by_one", size=len(rows), error=f"{type(error).__name__}: {error}")
        for message, row in rows:
            self._alone(tx, message, row, recorded)

    def _alone(self, tx: IndexTransaction, message: Received, row: Row, recorded: Recorded) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with tx.savepoint():
                    recorded.new += store_rows(tx, [row])
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
        """None for what others handle. Raises InvalidEvent."""
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
        if isinstance(payload, PredictionCompleted):
            return self._prediction(event, payload)
        if isinstance(payload, PredictionFeedback):
            return self._feedback(event, payload)
        return MetricsRow(event.source, event.id, event.time, payload.service_name, payload.metrics) if isinstance(payload, SystemMetrics) else None

    def _prediction(self, event: Event, payload: PredictionCompleted) -> PredictionRow:
        self._spec(payload.model_name)
        return PredictionRow(
            source=event.source,
            id=event.id,
            time=event.time,
            prediction_id=payload.prediction_id,
            model=payload.model_name,
            version=_number(payload.model_version),
            entity=payload.entity,
            features=payload.features,
            predicted=payload.predicted,
            lower=payload.lower,
            upper=payload.upper,
            answer=payload.answer,
            latency_seconds=payload.latency_seconds,
            cached=payload.cached,
            shadow_version=None if payload.shadow_version is None else _number(payload.shadow_version),
            shadow_predicted=payload.shadow_predicted,
        )

    def _feedback(self, event: Event, payload: PredictionFeedback) -> FeedbackRow:
        try:
            label = self._spec(payload.model_name).label_of(payload.outcome)
        except ValueError as error:
            raise InvalidEvent("schema_violation", f"prediction_feedback.outcome: {error}") from error
        return FeedbackRow(event.source, event.id, event.time, payload.model_name, payload.entity, payload.prediction_id, payload.outcome, label)

    def _spec(self, model: str) -> ModelSpec:
        if model not in self._specs:
            raise InvalidEvent("unknown_model", f"no model {model!r} here; known: {', '.join(self._specs)}")
        return self._specs[model]


def store_rows(tx: IndexTransaction, rows: Sequence[Row]) -> int:
    predictions = [row for row in rows if isinstance(row, PredictionRow)]
    feedback = [row for row in rows if isinstance(row, FeedbackRow)]
    metrics = [row for row in rows if isinstance(row, MetricsRow)]
    return tx.stream.predictions(predictions) + tx.stream.feedback(feedback) + tx.stream.metrics(metrics)


def _number(version_name: str) -> int:
    return int(version_name.rpartition("@")[2])
