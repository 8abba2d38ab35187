"""Which dead letters went back to their topic, by whom and why."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol


class Redriven(Protocol):
    """Table `redriven`."""

    def mark(self, letter_id: str, topic: str, *, changed: bool, who: str, reason: str) -> None: ...

    def all(self) -> Mapping[str, datetime]:
        """Letter -> when it was last sent back."""


class RedriveTransaction(Protocol):
    @property
    def redriven(self) -> Redriven: ...


class RedriveStore(Protocol):
    def transaction(self) -> AbstractContextManager[RedriveTransaction]: ...
