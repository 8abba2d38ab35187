"""What happened, read back: for the demo's story and its figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True)
class Happened:
    """A recorded control event."""

    seq: int
    id: str
    type: str
    subject: str
    time: datetime
    data: Mapping[str, Any]
    led_to: tuple[str, ...]
    """Kinds of the actions that name it as a cause."""
    decided_at: datetime
    """Wall time its decision was recorded."""


@dataclass(frozen=True)
class Latencies:
    """None where nothing was measured yet."""

    event_to_decision_p99_ms: float | None
    action_to_run_p95_s: float | None


class Chronicle(Protocol):
    def after(self, seq: int) -> list[Happened]:
        """Events decided after the given one, in order."""

    def latencies(self) -> Latencies: ...

    def champions(self, model: str) -> list[str]:
        """Each version that served, in order, as `name@N`."""

    def is_stable(self, model: str, version: int) -> bool: ...

    def newest_data(self) -> datetime | None:
        """Platform time of the newest batch announced in this home."""
