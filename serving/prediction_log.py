"""Every answer, told to Kafka: `prediction.request` and `prediction.completed`.

Telemetry, so best effort: recording is an append to a bounded buffer, everything else (the shadow's score, JSON, Kafka) happens in a thread.
Failure: Kafka is away or the buffer is full. Remedy: records are dropped and counted (`prediction_log_dropped_total`), answers go on."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import structlog

from evergreen.contracts.envelope import Event, derived_id
from evergreen.contracts.events import PredictionCompleted, PredictionRequest
from evergreen.ports.messaging import EventPublisher
from evergreen.ports.serving import PredictionRecord
from serving.shadow import shadow_predictions

MAX_BUFFERED = 10_000
_BATCH = 256
_LINGER_SECONDS = 0.02
"""Lets a burst become one batch, so that the shadow is asked once."""
_decode = msgspec.json.Decoder(dict[str, Any]).decode
log = structlog.get_logger(__name__)


class KafkaPredictionLog:
    def __init__(self, publisher: EventPublisher, *, on_drop: Callable[[int], None], max_buffered: int = MAX_BUFFERED) -> None:
        self._publisher = publisher
        self._on_drop = on_drop
        self._max = max_buffered
        self._buffer: deque[PredictionRecord] = deque()
        self._some = asyncio.Event()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="prediction-log")
        self._task: asyncio.Task[None] | None = None

    def record(self, record: PredictionRecord) -> None:
        if len(self._buffer) >= self._max:
            self._on_drop(1)
            return
        self._buffer.append(record)
        self._some.set()

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self, timeout_seconds: float) -> None:
        """Sends what is buffered; what is not gone by then is dropped and counted."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout_seconds):
                while batch := self._take():
                    await loop.run_in_executor(self._pool, self._send, batch)
                await loop.run_in_executor(self._pool, self._publisher.flush, timeout_seconds)
        except TimeoutError:
            self._on_drop(len(self._buffer))
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._some.wait()
            await asyncio.sleep(_LINGER_SECONDS)
            self._some.clear()
            while batch := self._take():
                await loop.run_in_executor(self._pool, self._send, batch)

    def _take(self) -> list[PredictionRecord]:
        return [self._buffer.popleft() for _ in range(min(_BATCH, len(self._buffer)))]

    def _send(self, batch: Sequence[PredictionRecord]) -> None:
        try:
            self._publish(batch)
        except Exception:  # the log's own edge: a record that cannot be told must not end the telling
            log.exception("prediction_log_failed", records=len(batch))
            self._on_drop(len(batch))

    def _publish(self, batch: Sequence[PredictionRecord]) -> None:
        features = [_decode(record.features) for record in batch]
        shadows = shadow_predictions([(record.champion.shadow, given) for record, given in zip(batch, features, strict=True)])
        for record, given, shadow in zip(batch, features, shadows, strict=True):
            self._publisher.publish_soon(_requested(record))
            self._publisher.publish_soon(_completed(record, given, shadow))


def _requested(record: PredictionRecord) -> Event:
    model = record.champion.loaded.spec.name
    payload = PredictionRequest(model_name=model, entity=record.entity, features=dict(record.given))
    return _event(record, record.prediction_id, "prediction_request", payload.model_dump(mode="json"))


def _completed(record: PredictionRecord, features: dict[str, Any], shadow: float | None) -> Event:
    loaded, answer = record.champion.loaded, _decode(record.answer)
    row = loaded.spec.request_row(features) if loaded.spec.request_row is not None else {}
    payload = PredictionCompleted(
        prediction_id=record.prediction_id,
        model_name=loaded.spec.name,
        model_version=loaded.name,
        entity=record.entity,
        features={**features, **row},
        predicted=answer["prediction"],
        lower=answer.get("prediction_lower"),
        upper=answer.get("prediction_upper"),
        answer=answer,
        latency_seconds=record.latency_seconds,
        cached=record.cached,
        shadow_version=None if shadow is None or record.champion.shadow is None else record.champion.shadow.name,
        shadow_predicted=shadow,
    )
    return _event(record, derived_id(record.prediction_id, "prediction_completed"), "prediction_completed", payload.model_dump(mode="json"))


def _event(record: PredictionRecord, event_id: str, event_type: str, data: dict[str, Any]) -> Event:
    """Both events of an answer carry its id as correlation id."""
    extensions = {"correlationid": record.prediction_id} | ({"traceparent": record.traceparent} if record.traceparent else {})
    return Event(
        id=event_id,
        source=f"/serving/{record.champion.loaded.spec.name}",
        type=event_type,
        subject=record.entity,
        time=record.time,
        data=data,
        extensions=extensions,
    )
