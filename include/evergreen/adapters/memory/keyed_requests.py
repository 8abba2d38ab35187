"""What was asked under a key, without a database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from evergreen.adapters.memory.tables import Tables
from evergreen.core.clock import wall_now
from evergreen.ports.keyed_requests import Earlier


class Kept(NamedTuple):
    earlier: Earlier
    asked_at: datetime


class MemoryKeyedRequests:
    def __init__(self, tables: Tables) -> None:
        self._rows: dict[UUID, Kept] = tables.keyed_requests

    def take(self, request_id: UUID, content: str, patience: timedelta) -> Earlier | None:
        found, now = self._rows.get(request_id), wall_now()
        if found is not None and (found.earlier != Earlier(content, None) or found.asked_at >= now - patience):
            return found.earlier
        self._rows[request_id] = Kept(Earlier(content, None), now)
        return None

    def answer(self, request_id: UUID, answer: Mapping[str, Any]) -> None:
        earlier, asked_at = self._rows[request_id]
        self._rows[request_id] = Kept(Earlier(earlier.content, dict(answer)), asked_at)

    def drop(self, request_id: UUID) -> None:
        del self._rows[request_id]

    def prune(self, older_than: timedelta) -> int:
        old = [one for one, kept in self._rows.items() if kept.asked_at < wall_now() - older_than]
        for one in old:
            del self._rows[one]
        return len(old)
