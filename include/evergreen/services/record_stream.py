"""High-volume topics to tables `predictions`, `feedback`, `metrics` and `exposures`, see `services.record_in_bulk`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evergreen.contracts.business import RecommendationsShown
from evergreen.contracts.envelope import Event
from evergreen.contracts.events import Payload, PredictionCompleted, PredictionFeedback, SystemMetrics
from evergreen.core.clock import Clock
from evergreen.core.errors import InvalidEvent
from evergreen.ports.index import ExposureRow, FeedbackRow, IndexStore, IndexTransaction, MetricsRow, PredictionRow, StreamRow
from evergreen.ports.messaging import Received
from evergreen.ports.model import ModelSpec
from evergreen.services.record_in_bulk import Recorded, RecordInBulk

TOPICS = ("prediction.completed", "prediction.feedback", "system.metrics")


class RecordStream:
    def __init__(self, store: IndexStore, clock: Clock, specs: Mapping[str, ModelSpec]) -> None:
        self._specs = specs
        self._in_bulk = RecordInBulk[IndexTransaction, StreamRow](store, clock, self._row, store_rows)

    def run(self, messages: Sequence[Received]) -> Recorded:
        """Raises Unavailable when Postgres is away: nothing of the batch is written then, call again with the same batch."""
        return self._in_bulk.run(messages)

    def _row(self, event: Event, payload: Payload, _message: Received) -> StreamRow | None:
        """None for what others handle. Raises InvalidEvent."""
        if isinstance(payload, PredictionCompleted):
            return self._prediction(event, payload)
        if isinstance(payload, PredictionFeedback):
            return self._feedback(event, payload)
        if isinstance(payload, RecommendationsShown):
            return self._exposure(event, payload)
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

    def _exposure(self, event: Event, payload: RecommendationsShown) -> ExposureRow:
        self._spec(payload.model_name)
        version = None if payload.model_version is None else _number(payload.model_version)
        told = (payload.list_id, payload.user_id, payload.model_name, version, list(payload.items), payload.experiment, payload.variant)
        return ExposureRow(event.source, event.id, event.time, *told)

    def _spec(self, model: str) -> ModelSpec:
        if model not in self._specs:
            raise InvalidEvent("unknown_model", f"no model {model!r} here; known: {', '.join(self._specs)}")
        return self._specs[model]


def store_rows(tx: IndexTransaction, rows: Sequence[StreamRow]) -> int:
    predictions = [row for row in rows if isinstance(row, PredictionRow)]
    feedback = [row for row in rows if isinstance(row, FeedbackRow)]
    metrics = [row for row in rows if isinstance(row, MetricsRow)]
    exposures = [row for row in rows if isinstance(row, ExposureRow)]
    return tx.stream.predictions(predictions) + tx.stream.feedback(feedback) + tx.stream.metrics(metrics) + tx.stream.exposures(exposures)


def _number(version_name: str) -> int:
    return int(version_name.rpartition("@")[2])
