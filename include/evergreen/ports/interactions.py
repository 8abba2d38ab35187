"""Table `interactions`: what users did, the truth behind their profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Protocol

from evergreen.core.earlier import Earlier
from evergreen.core.recommending import Did
from evergreen.ports.index import Generations
from evergreen.ports.profiles import Place
from evergreen.ports.storage import Lease, Transaction

EventKey = tuple[str, str]
"""(source, id)"""


@dataclass(frozen=True)
class InteractionRow:
    source: str
    id: str
    time: datetime
    user_id: str
    kind: str
    item_ids: tuple[str, ...]
    rating: float | None
    note: str | None
    context: Mapping[str, Any]
    genres: Mapping[str, Sequence[str]]
    place: Place

    @property
    def key(self) -> EventKey:
        return (self.source, self.id)

    @property
    def did(self) -> Did:
        return Did(self.id, self.time, self.kind, self.item_ids, self.rating, self.genres)


class Interactions(Protocol):
    def record(self, rows: Sequence[InteractionRow]) -> Mapping[EventKey, Place]:
        """Each (source, id) once, also when a repeat carries another time. Returns where those lie that were there before."""

    def of_users(self, users: Sequence[str]) -> Sequence[InteractionRow]:
        """All that is recorded of them, by time."""

    def users(self, after: str, limit: int) -> Sequence[str]:
        """In order of their ids, those behind `after`."""

    def of_day(self, day: date) -> Sequence[InteractionRow]:
        """Of a UTC day, by time and id."""

    def days(self, first: date, last: date) -> Sequence[date]:
        """UTC days of [first, last] on which somebody did something."""

    def forgotten(self, users: Sequence[str]) -> Mapping[str, datetime]:
        """Of these users those who are forgotten, and until when they are."""

    def earlier(self, users: Sequence[str]) -> Mapping[str, Earlier]:
        """What batches say of those of them who are known from there (table `online_features`)."""

    def forget(self, user: str, now: datetime) -> Mapping[str, int]:
        """Everything recorded of the user goes, and what comes of before `now` will not be recorded. Rows by table."""


class InteractionTransaction(Transaction, Protocol):
    @property
    def interactions(self) -> Interactions: ...
    @property
    def generations(self) -> Generations: ...

    def savepoint(self) -> AbstractContextManager[None]:
        """What fails inside is undone alone. Raises Unavailable, and nothing else, for what is the database's fault."""


class InteractionStore(Protocol):
    def transaction(self, lease: Lease | None = None) -> AbstractContextManager[InteractionTransaction]: ...


def days_of(rows: Sequence[InteractionRow]) -> list[date]:
    return sorted({row.time.astimezone(UTC).date() for row in rows})
