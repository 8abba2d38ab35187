"""Every answer, told to Kafka: `prediction.request` and `prediction.completed`.

Telemetry, so best effort: recording is an append to a bounded buffer; a moment later it is encoded and handed to Kafka in small bites between
requests, some 20 µs a prediction. In bites and not in a thread: a thread that computes makes the event loop wait for the interpreter,
milliseconds at a time. Failure: Kafka is away or the buffer is full. Remedy: records are dropped and counted
(`prediction_log_dropped_total`), answers go on."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid5

import msgspec
import structlog

from evergreen.contracts.ids import MAX_BYTES, NAMESPACE, SCHEMA_URI
from evergreen.core.clock import wall_now
from evergreen.ports.messaging import Telemetry
from evergreen.ports.serving import PredictionRecord
from serving.shadow import shadow_predictions

MAX_BUFFERED = 10_000
_BITE = 16
_SHADOWED_BITE = 4
"""Each of these costs an answer of the shadow too."""
_LINGER_SECONDS = 0.02
"""Answers go first."""
log = structlog.get_logger(__name__)


class _Requested(msgspec.Struct):
    model_name: str
    entity: str | None
    features: dict[str, Any]


class _Completed(msgspec.Struct):
    """As `PredictionCompleted`, with the parts that are JSON already."""

    prediction_id: str
    model_name: str
    model_version: str
    entity: str | None
    features: msgspec.Raw
    predicted: float
    lower: float | None
    upper: float | None
    answer: msgspec.Raw
    latency_seconds: float
    cached: bool
    shadow_version: str | None
    shadow_predicted: float | None


class _Said(msgspec.Struct):
    """What a model says that has a column of its own."""

    prediction: float
    prediction_lower: float | None = None
    prediction_upper: float | None = None


class _Envelope(msgspec.Struct, omit_defaults=True):
    """CloudEvents 1.0, structured."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: str
    dataschema: str
    producedwall: str
    correlationid: str
    data: Any
    traceparent: str = ""


_encode = msgspec.json.Encoder().encode
_said = msgspec.json.Decoder(_Said).decode
_object = msgspec.json.Decoder(dict[str, Any]).decode


class KafkaPredictionLog:
    def __init__(self, telemetry: Telemetry, *, on_drop: Callable[[int], None], max_buffered: int = MAX_BUFFERED) -> None:
        self._telemetry = telemetry
        self._on_drop = on_drop
        self._max = max_buffered
        self._buffer: deque[PredictionRecord] = deque()
        self._some = asyncio.Event()
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
        while bite := self._take():
            self._tell(bite)
        await asyncio.to_thread(self._telemetry.close, timeout_seconds)

    async def _run(self) -> None:
        while True:
            await self._some.wait()
            await asyncio.sleep(_LINGER_SECONDS)
            self._some.clear()
            while bite := self._take():
                self._tell(bite)
                await asyncio.sleep(0)

    def _take(self) -> list[PredictionRecord]:
        shadowed = bool(self._buffer) and self._buffer[0].champion.shadow is not None
        return [self._buffer.popleft() for _ in range(min(_SHADOWED_BITE if shadowed else _BITE, len(self._buffer)))]

    def _tell(self, bite: Sequence[PredictionRecord]) -> None:
        try:
            shadows = shadow_predictions([(one.champion.shadow, _object(one.features) if one.champion.shadow is not None else {}) for one in bite])
            for record, shadow in zip(bite, shadows, strict=True):
                self._one(record, shadow)
        except Exception:  # the log's own edge: a record that cannot be told must not end the telling
            log.exception("prediction_log_failed", records=len(bite))
            self._on_drop(len(bite))

    def _one(self, record: PredictionRecord, shadow: float | None) -> None:
        key = (record.entity or record.champion.loaded.spec.name).encode()
        model, wall = record.champion.loaded.spec.name, wall_now().isoformat()
        requested = _envelope(record, "prediction_request", record.prediction_id, wall, _Requested(model, record.entity, dict(record.given)))
        completed_id = str(uuid5(NAMESPACE, f"{record.prediction_id}\x1fprediction_completed"))
        completed = _envelope(record, "prediction_completed", completed_id, wall, _completed(record, shadow))
        if max(len(requested), len(completed)) > MAX_BYTES:
            self._on_drop(1)
            return
        self._telemetry.tell("prediction.request", key, requested)
        self._telemetry.tell("prediction.completed", key, completed)


def _completed(record: PredictionRecord, shadow: float | None) -> _Completed:
    said = _said(record.answer)
    return _Completed(
        prediction_id=record.prediction_id,
        model_name=record.champion.loaded.spec.name,
        model_version=record.champion.loaded.name,
        entity=record.entity,
        features=msgspec.Raw(record.features),
        predicted=said.prediction,
        lower=said.prediction_lower,
        upper=said.prediction_upper,
        answer=msgspec.Raw(record.answer),
        latency_seconds=record.latency_seconds,
        cached=record.cached,
        shadow_version=None if shadow is None or record.champion.shadow is None else record.champion.shadow.name,
        shadow_predicted=shadow,
    )


def _envelope(record: PredictionRecord, event_type: str, event_id: str, wall: str, data: _Requested | _Completed) -> bytes:
    """Both events of an answer carry its id as correlation id."""
    model = record.champion.loaded.spec.name
    return _encode(
        _Envelope(
            specversion="1.0",
            id=event_id,
            source=f"/serving/{model}",
            type=event_type,
            subject=record.entity or model,
            time=record.time.isoformat(),
            datacontenttype="application/json",
            dataschema=SCHEMA_URI.format(type=event_type),
            producedwall=wall,
            correlationid=record.prediction_id,
            data=data,
            traceparent=record.traceparent,
        )
    )
