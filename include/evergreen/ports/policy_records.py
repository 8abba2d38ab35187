"""What belongs to the policy itself: the kill switch, and candidates that decide in shadow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True)
class ShadowRow:
    """What a candidate policy would have decided; nothing follows from it."""

    policy_hash: str
    model: str
    event_source: str
    event_id: str
    event_type: str
    decided_at: datetime
    severity: str
    rule: str
    outcome: str
    body: str
    agrees: bool
    """It would have made the same actions."""


@dataclass(frozen=True)
class Pause:
    """The newest turn of the kill switch."""

    paused: bool
    who: str
    reason: str
    time: datetime


class Pauses(Protocol):
    def current(self) -> Pause | None:
        """None: nobody ever paused."""

    def turn(self, new: Pause) -> None:
        """On a resume, whatever was held is due to be rung at once."""


class Shadows(Protocol):
    def active(self) -> tuple[str, Mapping[str, Any]] | None:
        """Hash and body of the policy that decides in shadow."""

    def start(self, policy_hash: str, body: Mapping[str, Any]) -> None: ...

    def stop(self) -> None: ...

    def record(self, rows: Sequence[ShadowRow]) -> None: ...

    def differing(self, policy_hash: str, limit: int) -> list[ShadowRow]:
        """Newest first."""

    def agreement(self, policy_hash: str) -> tuple[int, int]:
        """(decided, agreeing)."""
