"""Users with the same taste, also those another worker knows, a portion at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

import pytest

from evergreen.core.boosts import USERS
from evergreen.core.recommending import Taste, Touched
from evergreen.ports.profiles import Profiles
from evergreen.services import similar_users
from evergreen.services.similar_users import SimilarUsers
from tests.support.events import NOON
from tests.support.tiny_ranker import TinyRanker


def liking(item: str) -> Taste:
    return Taste(history=(Touched(item, "like", NOON),), count=1)


@dataclass
class Told:
    """Profiles of active users, by when they did something."""

    tastes: dict[str, Taste]
    read_at_once: list[int] = field(default_factory=list)

    def active_since(self, wall_ms: int) -> Sequence[tuple[str, int]]:
        return [(user, at) for at, user in enumerate(self.tastes, 1) if at > wall_ms]

    def read(self, users: Sequence[str], now: datetime) -> Sequence[Taste]:
        self.read_at_once.append(len(users))
        return [self.tastes[user] for user in users]


def similar_to(told: Told) -> SimilarUsers:
    return SimilarUsers(cast(Profiles, told), told)


@pytest.fixture
def refreshed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refresh is always due."""
    monkeypatch.setattr(similar_users, "REFRESH_SECONDS", -1.0)


@pytest.mark.usefixtures("refreshed")
def test_those_who_like_the_same_are_alike_and_others_are_not() -> None:
    similar, ranker = similar_to(Told({"ann": liking("m0"), "bob": liking("m3"), "cat": liking("m20")})), TinyRanker()
    similar.know(ranker, {"dan": liking("m1")})
    assert similar.like(["dan"]) == {}
    similar.refresh(ranker, NOON)
    assert list(similar.like(["dan"])["dan"]) == ["ann", "bob"]
    assert similar.like(["nobody"]) == {}
    similar.know(ranker, {"dan": liking("m21")})
    assert list(similar.like(["dan"])["dan"]) == ["cat"]


@pytest.mark.usefixtures("refreshed")
def test_at_most_fifty_and_never_oneself() -> None:
    told = Told({f"u{number}": liking("m0") for number in range(80)})
    similar = similar_to(told)
    similar.refresh(TinyRanker(), NOON)
    found = similar.like(["u7"])["u7"]
    assert len(found) == USERS
    assert "u7" not in found


@pytest.mark.usefixtures("refreshed")
def test_many_are_looked_up_in_portions_and_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similar_users, "AT_ONCE", 30)
    told = Told({f"u{number}": liking("m0") for number in range(80)})
    similar, ranker = similar_to(told), TinyRanker()
    for _ in range(4):
        similar.refresh(ranker, NOON)
    assert told.read_at_once == [30, 30, 20, 0]


@pytest.mark.usefixtures("refreshed")
def test_another_version_begins_anew() -> None:
    similar = similar_to(Told({"ann": liking("m0"), "bob": liking("m0")}))
    similar.refresh(TinyRanker(), NOON)
    newer = TinyRanker(version="movie_recommender@2", dimensions=5)
    similar.know(newer, {"cat": liking("m0")})
    assert similar.like(["cat"]) == {}
    similar.refresh(newer, NOON)
    assert set(similar.like(["cat"])["cat"]) == {"ann", "bob"}


def test_who_was_forgotten_is_named_to_nobody_a_minute_later(monkeypatch: pytest.MonkeyPatch) -> None:
    passed = 0.0
    monkeypatch.setattr("evergreen.services.similar_users.time.monotonic", lambda: 1_000.0 + passed)
    monkeypatch.setattr(similar_users, "wall_now", lambda: NOON + timedelta(seconds=passed))
    told = Told({"ann": liking("m0"), "bob": liking("m0"), "cat": liking("m0")})
    similar, ranker = similar_to(told), TinyRanker()
    similar.refresh(ranker, NOON)
    similar.know(ranker, {"dan": liking("m0")})
    assert set(similar.like(["dan"])["dan"]) == {"ann", "bob", "cat"}
    del told.tastes["bob"]
    similar.know(ranker, {"bob": liking("m0")})  # by what was in hand when it was forgotten
    while passed < 60:
        passed += 3
        similar.refresh(ranker, NOON)
    similar.know(ranker, {"dan": liking("m0")})
    assert set(similar.like(["dan"])["dan"]) == {"ann", "cat"}
    assert similar.like(["bob"]) == {}
