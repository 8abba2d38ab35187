"""A canary of the recommender: it makes the lists of its share of the users, the champion those it cannot make, and its lists go with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest
from numpy.typing import NDArray

from evergreen.adapters.redis_lists import read_list
from evergreen.contracts.api_recommendations import RecommendationList
from evergreen.core.canary import is_asked
from evergreen.core.recommending import MODEL
from evergreen.ports.serving import Preparing
from serving.canary import Canaries
from tests.support.listed import Ranking, champion, list_body
from tests.support.serving_bench import Bench
from tests.support.tiny_ranker import TinyRanker

pytestmark = pytest.mark.anyio
SHARE = 0.3
USERS = [f"u{number}" for number in range(40)]
THEIRS = [user for user in USERS if is_asked(f"{MODEL}@2", user, SHARE)]
OTHERS = [user for user in USERS if user not in THEIRS]


class Broken(TinyRanker):
    def scores(self, history: Sequence[tuple[str, float]]) -> NDArray[np.float64]:
        raise RuntimeError("SELECT secret")


class Empty(TinyRanker):
    def __post_init__(self) -> None:
        self.size = 0
        super().__post_init__()


class Odd(Ranking):
    def __init__(self, kind: type[TinyRanker]) -> None:
        super().__init__()
        self._kind = kind

    def ranker(self, version: str) -> TinyRanker:
        return self._kind(200, version)


class Tried:
    """Version 2 makes the lists of its share beside champion 1."""

    def __init__(self, bench: Bench, kind: type[TinyRanker] = TinyRanker) -> None:
        self.bench, self.faults = bench, list[tuple[str, int]]()
        self.wanted = Preparing(uuid4(), MODEL, 2, SHARE)
        self.canaries = Canaries(lambda model, version: self.faults.append((model, version)))
        loaded = replace(champion(2).loaded, answering=Odd(kind))
        bench.slots.swap(replace(champion(1), canary=self.canaries.of(self.wanted, loaded, 1)))

    async def ask(self, user: str, query: str = "") -> RecommendationList:
        async with self.bench.client() as client:
            answer = await client.get(f"/recommendations/{user}{query}")
        assert answer.status_code == 200, answer.text
        return RecommendationList.model_validate(answer.json())

    @property
    def counted(self) -> tuple[int, int]:
        """Lists asked for, and failed; how many were late is this machine's affair."""
        tally = self.canaries.tally(self.wanted)
        assert tally is not None
        return tally.asked, tally.failed


@pytest.fixture
async def bench(running: Bench) -> Bench:
    await running.serving.listener.stop()  # it would look, and find no canary
    return running


async def test_its_share_of_the_users_is_shown_its_lists_and_nobody_else(bench: Bench) -> None:
    tried = Tried(bench)
    assert {(await tried.ask(user)).model_version for user in THEIRS} == {f"{MODEL}@2"}
    assert {(await tried.ask(user)).model_version for user in OTHERS} == {f"{MODEL}@1"}
    assert tried.counted == (len(THEIRS), 0)
    assert set(bench.lists.kept) == set(OTHERS), "kept, its lists would outlive it"
    said = {event.data["user_id"]: event.data["model_version"] for event in bench.publisher.of_type("recommendations_shown")}
    assert {said[user] for user in THEIRS} == {f"{MODEL}@2"}


async def test_a_list_the_champion_made_before_is_not_its_word(bench: Bench) -> None:
    tried = Tried(bench)
    for user in (THEIRS[0], OTHERS[0]):
        made = read_list(list_body(user, 7, 20), user)
        assert made is not None
        bench.lists.kept[user] = made, 7
    assert [((said := await tried.ask(user)).model_version, said.origin) for user in (THEIRS[0], OTHERS[0])] == [
        (f"{MODEL}@2", "computed"),
        (f"{MODEL}@1", "stored"),
    ]


async def test_what_is_pushed_to_its_users_is_its_list_too(bench: Bench) -> None:
    tried = Tried(bench)
    for user, version in ((THEIRS[0], 2), (OTHERS[0], 1)):
        bench.pushes.push(user, list_body(user, 1))
        async with bench.client() as client:
            answer = await client.get(f"/recommendations/{user}/stream?seconds=0")
        [data] = [line for line in answer.text.split("\n") if line.startswith("data: ")]
        assert RecommendationList.model_validate_json(data.removeprefix("data: ")).model_version == f"{MODEL}@{version}"
    assert tried.counted == (1, 0)


@pytest.mark.parametrize("kind", [Broken, Empty])
async def test_where_it_has_no_list_the_champion_has_and_it_counts_as_failed(bench: Bench, kind: type[TinyRanker]) -> None:
    tried = Tried(bench, kind)
    for user in THEIRS[:3]:
        said = await tried.ask(user)
        assert (said.model_version, len(said.items), said.degraded) == (f"{MODEL}@1", 20, False)
    assert tried.counted == (3, 3)
    assert tried.faults == [(MODEL, 2)] * 3


async def test_a_genre_without_movies_is_no_fault_of_its(bench: Bench) -> None:
    tried = Tried(bench)
    assert (await tried.ask(THEIRS[0], "?category=Nothing")).items == []
    assert tried.counted == (1, 0)
