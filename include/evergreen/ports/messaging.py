"""Publishing from outside a transaction: apps, loaders, serving. Inside the loop everything goes through the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from evergreen.contracts.envelope import Event


class Position(NamedTuple):
    """Where an acknowledged event lies."""

    topic: str
    partition: int
    offset: int


class EventPublisher(Protocol):
    def publish(self, event: Event) -> Position:
        """Returns after Kafka acknowledged (acks=all, idempotent). Raises PublishFailed after 10 s: publish again with the same id."""

    def publish_soon(self, event: Event) -> bool:
        """Telemetry: never blocks. False when the bounded buffer is full and the event was dropped (counted)."""

    def flush(self, timeout_seconds: float) -> int:
        """Wait for what is under way; returns how many are still unsent."""


class Telemetry(Protocol):
    """Encoded events nobody waits for."""

    def tell(self, topic: str, messages: Sequence[tuple[bytes, bytes]]) -> None:
        """Keys and values. Never waits, never raises: what cannot be taken or delivered is dropped and counted."""

    def close(self, timeout_seconds: float) -> None:
        """Waits for what is under way."""


Headers = Sequence[tuple[str, bytes | None]]
"""Kafka's own: ordered pairs, a name may come twice, a value may be any bytes or null."""


@dataclass(frozen=True)
class Outgoing:
    """One outbox row on its way: bytes as they are, whatever they hold."""

    seq: int
    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(frozen=True)
class SendFault:
    why: str
    permanent: bool
    """The broker will never take this message (too large): sending it again is no remedy."""


class Messenger(Protocol):
    """Raw bytes for the relay."""

    def send(self, messages: Sequence[Outgoing]) -> Sequence[SendFault | None]:
        """One answer per message, in their order: None = acknowledged. Messages of one topic and key are acknowledged in order;
        after a fault, no later message of that partition counts as sent."""


class ConsumerLag(Protocol):
    def behind(self, group: str, topics: Sequence[str]) -> dict[str, int]:
        """Messages per topic the group has not committed yet; empty when it never committed anything. Raises Unavailable."""


@dataclass(frozen=True)
class Received:
    """A message as it came from a topic."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    received_at: datetime
    """Wall time."""
    sent_at: datetime | None = None
    """Wall time, by its producer's clock (Kafka's timestamp)."""
