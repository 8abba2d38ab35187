"""The true outcome of a prediction, taken in: checked against the model's label, published, acknowledged.

Guarantee: accepted means Kafka has it on every replica. With an idempotency key a repeat is the same event (same id, time
and content) for a day. Failure: Kafka does not acknowledge: Unavailable, and the caller repeats with the same key. Redis away: the same id still,
but the time of the repeat; whoever records feedback tells repeats by their id."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from evergreen.contracts.envelope import Event, canonical_json, derived_id, new_id
from evergreen.contracts.events import PredictionFeedback
from evergreen.core.errors import InvalidEvent, InvalidRequest, KeyReused, NotFound, PublishFailed, Unavailable
from evergreen.ports.messaging import EventPublisher
from evergreen.ports.model import ModelSpec
from evergreen.ports.serving import IdempotencyKeys

MAX_WAITING = 64
"""Acknowledgements waited for at once: with Kafka away each takes ten seconds, and more callers are better told at once."""


@dataclass(frozen=True)
class Told:
    model: str
    entity: str
    outcome: Mapping[str, Any]
    prediction_id: str | None = None
    key: str | None = None
    traceparent: str = ""


class TakeFeedback:
    def __init__(
        self, *, specs: Mapping[str, ModelSpec], publisher: EventPublisher, keys: IdempotencyKeys, now: Callable[[], datetime], pool: Executor | None = None
    ) -> None:
        self._specs = specs
        self._publisher = publisher
        self._keys = keys
        self._now = now
        self._pool = pool
        self._waiting = 0

    async def run(self, told: Told) -> str:
        """The event's id. Raises NotFound (model), InvalidRequest (outcome), KeyReused, Unavailable."""
        self._check(told)
        event_id, time = await self._identity(told)
        payload = PredictionFeedback(model_name=told.model, entity=told.entity, prediction_id=told.prediction_id, outcome=dict(told.outcome))
        event = Event(
            id=event_id,
            source=f"/serving/{told.model}",
            type="prediction_feedback",
            subject=told.entity,
            time=time,
            data=payload.model_dump(mode="json"),
            extensions={"traceparent": told.traceparent} if told.traceparent else {},
        )
        await self._publish(event)
        return event_id

    def _check(self, told: Told) -> None:
        spec = self._specs.get(told.model)
        if spec is None:
            raise NotFound(f"no model {told.model!r}; known: {', '.join(self._specs)}")
        try:
            spec.label_of(told.outcome)
        except ValueError as error:
            raise InvalidRequest(f"outcome: {error}") from error

    async def _identity(self, told: Told) -> tuple[str, datetime]:
        """Id and time of the event: with a key, those of its first telling."""
        now = self._now()
        if told.key is None:
            return new_id(), now
        content = canonical_json([told.prediction_id, dict(told.outcome)])
        said = {"time": now.isoformat(), "hash": hashlib.sha256(content).hexdigest()}
        event_id = derived_id("feedback", told.key, told.model, told.entity)
        try:
            first = json.loads(await self._keys.claim(f"feedback:{event_id}", json.dumps(said)))
            time = datetime.fromisoformat(first["time"])
            same = first["hash"] == said["hash"]
        except (Unavailable, ValueError, KeyError, TypeError):  # Redis is away, or what lies under the key is not ours
            return event_id, now
        if not same:
            raise KeyReused("this Idempotency-Key was used for another outcome of the same video: use a new key for a new statement")
        return event_id, time

    async def _publish(self, event: Event) -> None:
        if self._waiting >= MAX_WAITING:
            raise Unavailable(f"{self._waiting} others already wait for Kafka: repeat with the same Idempotency-Key")
        self._waiting += 1
        try:
            await asyncio.get_running_loop().run_in_executor(self._pool, self._publisher.publish, event)
        except PublishFailed as error:
            raise Unavailable("Kafka did not acknowledge the feedback in time: repeat with the same Idempotency-Key") from error
        except InvalidEvent as error:
            raise InvalidRequest(f"outcome: {error}") from error
        finally:
            self._waiting -= 1
