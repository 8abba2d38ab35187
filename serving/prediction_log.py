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

import msgspec
import structlog

from evergreen.contracts.ids import MAX_BYTES, SCHEMA_URI, derived_id
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


class _Said(msgspec.Struct):
    """What a model says that has a column of its own."""

    prediction: float
    prediction_lower: float | None = None
    prediction_upper: float | None = None


_EVENT = (
    b'{"specversion":"1.0","id":"%b","source":"/serving/%b","type":"%b","subject":%b,"time":"%b","datacontenttype":"application/json",'
    b'"dataschema":"%b","producedwall":"%b","correlationid":"%b"%b,"data":%b}'
)
"""CloudEvents 1.0, structured. What goes in between quotes is ours and plain ASCII; what others said is encoded."""
_REQUESTED = b'{"model_name":"%b","entity":%b,"features":%b}'
_COMPLETED = (
    b'{"prediction_id":"%b","model_name":"%b","model_version":"%b","entity":%b,"features":%b,"predicted":%b,"lower":%b,"upper":%b,"answer":%b,'
    b'"latency_seconds":%b,"cached":%b,"shadow_version":%b,"shadow_predicted":%b}'
)
_SCHEMAS = {kind: SCHEMA_URI.format(type=kind.decode()).encode() for kind in (b"prediction_request", b"prediction_completed")}
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
        wall = wall_now().isoformat().encode()
        try:
            shadows = shadow_predictions([(one.champion.shadow, _object(one.features) if one.champion.shadow is not None else {}) for one in bite])
            for record, shadow in zip(bite, shadows, strict=True):
                self._one(record, shadow, wall)
        except Exception:  # the log's own edge: a record that cannot be told must not end the telling
            log.exception("prediction_log_failed", records=len(bite))
            self._on_drop(len(bite))

    def _one(self, record: PredictionRecord, shadow: float | None, wall: bytes) -> None:
        """Both events of an answer carry its id as correlation id."""
        loaded, prediction_id = record.champion.loaded, record.prediction_id.encode()
        model, entity = loaded.spec.name.encode(), _encode(record.entity)
        subject, key = (b'"%b"' % model, model) if record.entity is None else (entity, record.entity.encode())
        trace = b',"traceparent":"%b"' % record.traceparent.encode() if record.traceparent else b""
        said = (subject, record.time.isoformat().encode())
        requested, completed = (
            _EVENT % (event_id, model, kind, *said, _SCHEMAS[kind], wall, prediction_id, trace, data)
            for kind, event_id, data in (
                (b"prediction_request", prediction_id, _REQUESTED % (model, entity, _encode(record.given))),
                (b"prediction_completed", derived_id(record.prediction_id, "prediction_completed").encode(), _completed(record, shadow, model, entity)),
            )
        )
        if max(len(requested), len(completed)) > MAX_BYTES:
            self._on_drop(1)
            return
        self._telemetry.tell("prediction.request", key, requested)
        self._telemetry.tell("prediction.completed", key, completed)


def _completed(record: PredictionRecord, shadow: float | None, model: bytes, entity: bytes) -> bytes:
    said = _said(record.answer)
    shadow_version = None if shadow is None or record.champion.shadow is None else record.champion.shadow.name
    numbers = (_encode(number) for number in (said.prediction, said.prediction_lower, said.prediction_upper))
    rest = (_encode(value) for value in (record.latency_seconds, record.cached, shadow_version, shadow))
    version = record.champion.loaded.name.encode()
    return _COMPLETED % (record.prediction_id.encode(), model, version, entity, record.features, *numbers, record.answer, *rest)
