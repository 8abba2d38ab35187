"""What was asked under an idempotency key, and what was answered."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, NamedTuple, Protocol
from uuid import UUID


class Earlier(NamedTuple):
    content: str
    answer: Mapping[str, Any] | None
    """None: there is none yet."""


class KeyedRequests(Protocol):
    """Table `keyed_requests`; ages are wall time."""

    def take(self, request_id: UUID, content: str, patience: timedelta) -> Earlier | None:
        """None: the caller carries it out, for it is new, or the same was taken longer ago than `patience` and never answered. Else what
        stands under the id. Raises Unavailable where that went meanwhile."""

    def answer(self, request_id: UUID, answer: Mapping[str, Any]) -> None: ...

    def drop(self, request_id: UUID) -> None:
        """It came to nothing: a repeat is a new one."""

    def prune(self, older_than: timedelta) -> int: ...


class KeyedTransaction(Protocol):
    @property
    def keyed_requests(self) -> KeyedRequests: ...


class KeyedStore(Protocol):
    def transaction(self) -> AbstractContextManager[KeyedTransaction]: ...
