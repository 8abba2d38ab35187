"""What maintenance asks of the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, timedelta
from typing import Protocol

from evergreen.ports.batches import BatchTransaction
from evergreen.ports.keyed_requests import KeyedRequests
from evergreen.ports.notifications import Silences
from evergreen.ports.storage import Lease


class Upkeep(Protocol):
    def drop_partitions(self, table: str, before: date) -> Sequence[str]:
        """Whole days of predictions, feedback, metrics, interactions or exposures; returns the names of what went."""

    def loose_ends(self, older_than: timedelta) -> Mapping[str, int]:
        """What should have gone on longer ago (wall time) and did not, by kind; all zero in health."""


class UpkeepTransaction(BatchTransaction, Protocol):
    @property
    def upkeep(self) -> Upkeep: ...
    @property
    def silences(self) -> Silences: ...
    @property
    def keyed_requests(self) -> KeyedRequests: ...


class UpkeepStore(Protocol):
    def transaction(self, lease: Lease | None = None) -> AbstractContextManager[UpkeepTransaction]: ...
