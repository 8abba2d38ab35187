"""Recorded events, read again in the order they were taken in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from evergreen.ports.records import EventRow
from evergreen.ports.storage import Lease


@dataclass(frozen=True)
class Chosen:
    """Nothing given: every event. Times are platform time, `since` included, `until` not."""

    types: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None


class EventArchive(Protocol):
    def count(self, chosen: Chosen) -> int: ...

    def read(self, chosen: Chosen) -> Iterator[EventRow]:
        """Oldest record first, streamed: however many there are, few are in memory."""


class ArchiveTransaction(Protocol):
    @property
    def archive(self) -> EventArchive: ...


class ArchiveStore(Protocol):
    def transaction(self, lease: Lease | None = None) -> AbstractContextManager[ArchiveTransaction]: ...
