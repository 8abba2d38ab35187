"""What is known of users while they are here: fast, shared by all workers, and made anew from table `interactions` whenever it is lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from evergreen.core.recommending import Effect, Taste
from evergreen.ports.lists import Listed
from evergreen.ports.recommending import Ranker


@dataclass(frozen=True)
class Place:
    """Where an event lies on Kafka."""

    stream: str
    """As `core.as_of` names it."""
    topic_id: str
    """Of the topic's present life: one that is made anew has another."""
    partition: int
    offset: int


@dataclass(frozen=True)
class Whole:
    """Everything recorded of a user."""

    effect: Effect
    count: int
    places: Sequence[Place]
    """The newest of each stream and partition."""


@dataclass(frozen=True)
class NewList:
    user: str
    count: int
    """Interactions it reflects: a list that reflects fewer never replaces one that reflects more."""
    body: Mapping[str, Any]
    pushed: Mapping[str, Any]


class Profiles(Protocol):
    """Each raises Unavailable."""

    def apply(self, events: Mapping[str, Sequence[tuple[Place, Effect | None]]]) -> Sequence[str]:
        """By user, in their order; None: a repeat, of which only the place is noted. Each event counts once, whoever brings it how often. Returns the
        users of whom nothing is known here: `replace` them by what is recorded."""

    def marks(self, users: Sequence[str]) -> Sequence[Mapping[str, str]]:
        """Up to which places each user's events are in: taken before the rows are read that are to replace the profile."""

    def replace(self, wanted: Mapping[str, tuple[Mapping[str, str], Whole]]) -> Sequence[str]:
        """User -> marks, and what the rows say. Returns those whose marks are no longer the same: read their rows again."""

    def read(self, users: Sequence[str], now: datetime) -> Sequence[Taste]:
        """`now`: platform time. An unknown user's is empty."""

    def boost(self, wanted: Sequence[tuple[str, str, str]]) -> None:
        """(user, cause, item), see `core.boosts`. The same again renews its end."""

    def put_lists(self, lists: Sequence[NewList]) -> None:
        """Kept for half an hour, and pushed once each."""

    def active_since(self, wall_ms: int) -> Sequence[tuple[str, int]]:
        """Of the newest 20,000 users those who did something after it, each with when (milliseconds of wall time)."""

    def is_whole(self) -> bool:
        """False after everything was lost: nobody has said since that all users are there."""

    def say_whole(self) -> None: ...

    def forget(self, user: str) -> None:
        """Nothing of the user is left."""


@runtime_checkable
class Ranks(Protocol):
    """What answers for a version of the recommender."""

    def ranker(self, version: str) -> Ranker:
        """`version`: its name, `name@N`."""


@runtime_checkable
class WatchedRanks(Ranks, Protocol):
    """Of a canary: what it makes is counted."""

    def listed(self, make: Callable[[], list[Listed]], *, may_be_empty: bool) -> list[Listed]:
        """Raises CanaryFailed where it has no list."""
