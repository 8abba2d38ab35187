"""Every answer, told to Kafka: `prediction.request` and `prediction.completed`.

Telemetry, so best effort: recording is an append to a bounded buffer; a moment later it is encoded and handed to Kafka in small bites between
requests, some 20 µs a prediction. In bites and not in a thread: a thread that computes makes the event loop wait for the interpreter,
milliseconds at a time. Failure: Kafka is away or the buffer is full. Remedy: records are dropped and counted
(`prediction_log_dropped_total`), answers go on. A shadow cannot keep up: records are told without its word and name."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import structlog

from evergreen.contracts.ids import MAX_BYTES, SCHEMA_URI
from evergreen.core.clock import wall_now
from evergreen.ports.messaging import Telemetry
from evergreen.ports.serving import Later, PredictionRecord
from serving.shadow import Shadows

MAX_BUFFERED = 10_000
SHADOWED = 1_000
"""Records that may wait for a shadow's word; with more of them it is not asked."""
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
    b'{"prediction_id":"%b","model_name":"%b","model_version":"%b","entity":%b,"features":%b,%b,"answer":%b,'
    b'"latency_seconds":%.6f,"cached":%b,"shadow_version":%b,"shadow_predicted":%b}'
)
_NUMBERS = b'"predicted":%b,"lower":%b,"upper":%b'
_NUMBERS_KEPT = 4096
_TWIN = dict(zip("0123456789abcdef", "fedcba9876543210", strict=True))
"""The completion's id is the request's with another last digit: as unique, and each can be told from the other."""
_SCHEMAS = {kind: SCHEMA_URI.format(type=kind.decode()).encode() for kind in (b"prediction_request", b"prediction_completed")}
_encode = msgspec.json.Encoder().encode
_said = msgspec.json.Decoder(_Said).decode
_object = msgspec.json.Decoder(dict[str, Any]).decode


class KafkaPredictionLog:
    def __init__(self, telemetry: Telemetry, *, on_drop: Callable[[int], None], max_buffered: int = MAX_BUFFERED) -> None:
        self._telemetry = telemetry
        self._on_drop = on_drop
        self._max = max_buffered
        self._buffer: deque[PredictionRecord | Later] = deque()
        self._numbers: dict[bytes, bytes] = {}
        """By answer: an answer that is given again and again is read once."""
        self._shadows = Shadows()
        self._some = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def record(self, record: PredictionRecord | Later) -> None:
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
        self._shadows.stop()
        while bite := self._take():
            self._tell(_unshadowed(bite), [None] * len(bite))
        await asyncio.to_thread(self._telemetry.close, timeout_seconds)

    async def _run(self) -> None:
        while True:
            await self._some.wait()
            await asyncio.sleep(_LINGER_SECONDS)
            self._some.clear()
            while bite := self._take():
                await self._tell_beside(bite if len(self._buffer) < SHADOWED else _unshadowed(bite))
                await asyncio.sleep(0)

    async def _tell_beside(self, bite: list[PredictionRecord]) -> None:
        """With the word of the shadow, where there is one."""
        shadows = [one.champion.shadow for one in bite]
        if not any(shadows):
            self._tell(bite, [None] * len(bite))
            return
        try:
            words = await self._shadows.words([(shadow, _object(one.features)) for shadow, one in zip(shadows, bite, strict=True)])
        except asyncio.CancelledError:
            self._buffer.extendleft(reversed(bite))  # `stop` tells them
            raise
        except Exception:  # the log's own edge, as below
            log.exception("shadow_not_asked", records=len(bite))
            bite, words = _unshadowed(bite), [None] * len(bite)
        self._tell(bite, words)

    def _take(self) -> list[PredictionRecord]:
        taken: list[PredictionRecord] = []
        while self._buffer and len(taken) < (_SHADOWED_BITE if taken and taken[0].champion.shadow is not None else _BITE):
            one = self._buffer.popleft()
            taken += [one] if isinstance(one, PredictionRecord) else one()
        return taken

    def _tell(self, bite: Sequence[PredictionRecord], shadows: Sequence[float | None]) -> None:
        wall = wall_now().isoformat().encode()
        try:
            events = [self._events(record, shadow, wall) for record, shadow in zip(bite, shadows, strict=True)]
            told = [(key, requested, completed) for key, requested, completed in events if len(requested) <= MAX_BYTES and len(completed) <= MAX_BYTES]
            if len(told) < len(events):
                self._on_drop(len(events) - len(told))
            self._telemetry.tell("prediction.request", [(key, requested) for key, requested, _ in told])
            self._telemetry.tell("prediction.completed", [(key, completed) for key, _, completed in told])
        except Exception:  # the log's own edge: a record that cannot be told must not end the telling
            log.exception("prediction_log_failed", records=len(bite))
            self._on_drop(len(bite))

    def _events(self, record: PredictionRecord, shadow: float | None, wall: bytes) -> tuple[bytes, bytes, bytes]:
        """Key, request and completion. Both carry the answer's id as correlation id."""
        loaded, own = record.champion.loaded, record.prediction_id.encode()
        model, entity = loaded.spec.name.encode(), _encode(record.entity)
        subject, key = (b'"%b"' % model, model) if record.entity is None else (entity, record.entity.encode())
        twin = (record.prediction_id[:-1] + _TWIN[record.prediction_id[-1]]).encode()
        trace = b',"traceparent":"%b"' % record.traceparent.encode() if record.traceparent else b""
        time, requested = record.time.isoformat().encode(), _REQUESTED % (model, entity, record.given)
        shadowed = (b"null", b"null") if record.champion.shadow is None else (_encode(record.champion.shadow.name), _encode(shadow))
        rest = (record.latency_seconds, b"true" if record.cached else b"false", *shadowed)
        completed = _COMPLETED % (own, model, loaded.name.encode(), entity, record.features, self._numbers_of(record.answer), record.answer, *rest)
        return (
            key,
            _EVENT % (own, model, b"prediction_request", subject, time, _SCHEMAS[b"prediction_request"], wall, own, trace, requested),
            _EVENT % (twin, model, b"prediction_completed", subject, time, _SCHEMAS[b"prediction_completed"], wall, own, trace, completed),
        )

    def _numbers_of(self, answer: bytes) -> bytes:
        found = self._numbers.get(answer)
        if found is None:
            said = _said(answer)
            if len(self._numbers) >= _NUMBERS_KEPT:
                self._numbers.clear()
            found = self._numbers[answer] = _NUMBERS % (_encode(said.prediction), _encode(said.prediction_lower), _encode(said.prediction_upper))
        return found


def _unshadowed(bite: Sequence[PredictionRecord]) -> list[PredictionRecord]:
    return [one if one.champion.shadow is None else one._replace(champion=replace(one.champion, shadow=None)) for one in bite]
