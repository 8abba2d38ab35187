"""What callers say happened, as events: identified, published, acknowledged.

Guarantee: accepted means Kafka has it on every replica. With an idempotency key a repeat is the same event (same id, time
and content) for a day. Failure: Kafka does not acknowledge: Unavailable, and the caller repeats with the same key. Redis away: the same id still,
but the time of the repeat; whoever records such events tells repeats by their id."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from evergreen.contracts.envelope import Event, canonical_json, derived_id, new_id
from evergreen.core.errors import InvalidEvent, InvalidRequest, KeyReused, PublishFailed, Unavailable
from evergreen.ports.messaging import EventPublisher, Position
from evergreen.ports.serving import IdempotencyKeys

MAX_WAITING = 64
"""Acknowledgements waited for at once: with Kafka away each takes ten seconds, and more callers are better told at once."""


@dataclass(frozen=True)
class Statement:
    type: str
    """Of the event."""
    source: str
    subject: str
    data: Mapping[str, Any]
    """The event's payload."""
    kind: str
    of: tuple[str, ...]
    """A key means one statement of this kind about the same of these."""
    content: Any
    """JSON: what a repeat with the same key must say again."""
    key: str | None = None
    traceparent: str = ""


class Acknowledged(NamedTuple):
    event_id: str
    position: Position


class TellEvents:
    def __init__(self, *, publisher: EventPublisher, keys: IdempotencyKeys, now: Callable[[], datetime], pool: Executor | None = None) -> None:
        self._publisher = publisher
        self._keys = keys
        self._now = now
        self._pool = pool
        self._waiting = 0

    async def run(self, said: Statement) -> Acknowledged:
        """Raises InvalidRequest (no event can hold it), KeyReused, Unavailable."""
        event_id, time = await self._identity(said)
        event = Event(
            id=event_id,
            source=said.source,
            type=said.type,
            subject=said.subject,
            time=time,
            data=dict(said.data),
            extensions={"traceparent": said.traceparent} if said.traceparent else {},
        )
        return Acknowledged(event_id, await self._publish(event))

    async def _identity(self, said: Statement) -> tuple[str, datetime]:
        """Id and time of the event: with a key, those of its first telling."""
        now = self._now()
        if said.key is None:
            return new_id(), now
        kept = {"time": now.isoformat(), "hash": hashlib.sha256(canonical_json(said.content)).hexdigest()}
        event_id = derived_id(said.kind, said.key, *said.of)
        try:
            first = json.loads(await self._keys.claim(f"{said.kind}:{event_id}", json.dumps(kept)))
            time = datetime.fromisoformat(first["time"])
            same = first["hash"] == kept["hash"]
        except (Unavailable, ValueError, KeyError, TypeError):  # Redis is away, or what lies under the key is not ours
            return event_id, now
        if not same:
            raise KeyReused(f"this Idempotency-Key was used for another statement about {', '.join(said.of)}: use a new key for a new statement")
        return event_id, time

    async def _publish(self, event: Event) -> Position:
        if self._waiting >= MAX_WAITING:
            raise Unavailable(f"{self._waiting} others already wait for Kafka: repeat with the same Idempotency-Key")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._publisher.publish, event)
        except PublishFailed as error:
            raise Unavailable("Kafka did not acknowledge it in time: repeat with the same Idempotency-Key") from error
        except InvalidEvent as error:
            raise InvalidRequest(str(error)) from error
        finally:
            self._waiting -= 1
