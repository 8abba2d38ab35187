"""Publishing from outside a transaction: apps, loaders, serving. Inside the loop everything goes through the outbox."""

from __future__ import annotations

from typing import Protocol

from evergreen.contracts.envelope import Event


class EventPublisher(Protocol):
    def publish(self, event: Event) -> None:
        """Returns after Kafka acknowledged (acks=all, idempotent). Raises PublishFailed after 10 s: publish again with the same id."""

    def publish_soon(self, event: Event) -> bool:
        """Telemetry: never blocks. False when the bounded buffer is full and the event was dropped (counted)."""

    def flush(self, timeout_seconds: float) -> int:
        """Wait for what is under way; returns how many are still unsent."""
