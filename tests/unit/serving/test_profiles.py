"""`/profiles` and `/items` on twins: who may look at whom, and what is said when the model or a part is away."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from evergreen.contracts.api_profiles import Items, SimilarItems, SimilarUsersSaid, UserProfile
from evergreen.core.access import Role
from evergreen.core.earlier import entity_of, features_of
from evergreen.core.recommending import MODEL, Taste, Touched
from evergreen.ports.audience import ActiveUser, Activity, Boost, Traces
from evergreen.ports.serving import StoredFeatures
from tests.support.listed import champion
from tests.support.serving_bench import NOW, Bench

pytestmark = pytest.mark.anyio


def liking(item: str) -> Taste:
    return Taste(history=(Touched(item, "like", NOW),), preferences={"Comedy": 0.5, "Horror": -0.2}, owned=frozenset({"m9"}), count=3)


@pytest.fixture
async def movies(running: Bench) -> Bench:
    running.slots.swap(champion())
    running.lists.tastes |= {"Ann": liking("m0"), "bob": liking("m2"), "cat": liking("m100")}
    running.audience.users = [ActiveUser(user, 3, NOW + timedelta(minutes=-at)) for at, user in enumerate(("cat", "bob", "Ann"))]
    boosts = [Boost("m5", "items", NOW + timedelta(hours=6))]
    running.audience.left["Ann"] = Traces(boosts, [Activity("e1", NOW, "like", ("m0",))], {"like": 2, "view": 40})
    return running


async def ask(bench: Bench, path: str, *roles: Role, status: int = 200) -> Any:
    async with bench.client(*(roles or (Role.ANALYST,)), subject="Ann") as client:
        answer = await client.get(path)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_users_are_found_by_a_part_of_their_id_newest_first(movies: Bench) -> None:
    assert [one["user_id"] for one in (await ask(movies, "/profiles"))["users"]] == ["cat", "bob", "Ann"]
    assert [one["user_id"] for one in (await ask(movies, "/profiles?q=A&limit=1"))["users"]] == ["cat"]
    assert (await ask(movies, "/profiles?q=ann"))["users"] == [{"user_id": "Ann", "interactions": 3, "active_at": "2025-07-24T23:58:00Z"}]


async def test_a_profile_names_what_it_holds(movies: Bench) -> None:
    said = UserProfile.model_validate(await ask(movies, "/profiles/Ann"))
    assert [(one.genre, one.preference) for one in said.preferences] == [("Comedy", 0.5), ("Horror", -0.2)]
    assert [(one.title, one.kind) for one in said.history] == [("Movie 0", "like")]
    assert [(one.title, one.factor) for one in said.boosts] == [("Movie 5", 1.5)]
    assert [[item.title for item in one.items] for one in said.activity] == [["Movie 0"]]
    assert (said.interactions, said.rated, said.counts, said.model_version, said.rebuilding) == (
        *(3, 1, {"like": 2, "view": 40}),
        *("movie_recommender@1", False),
    )


async def test_a_profile_is_there_without_a_model_and_a_stranger_is_empty(running: Bench) -> None:
    running.lists.tastes["Ann"] = liking("m0")
    said = await ask(running, "/profiles/Ann")
    assert (said["history"][0]["title"], said["model_version"]) == ("m0", None)
    stranger = await ask(running, "/profiles/nobody")
    assert (stranger["interactions"], stranger["history"], stranger["counts"]) == (0, [], {})
    running.lists.whole = False
    assert (await ask(running, "/profiles/nobody"))["rebuilding"]
    assert (await ask(running, "/items", status=503))["type"].endswith("no-champion")


async def test_what_batches_say_of_a_user_is_part_of_the_profile(movies: Bench) -> None:
    movies.features.known[MODEL, entity_of("Ann")] = StoredFeatures(features_of([("m3", "high_rating", 0)], ["m3"]), NOW)
    said = await ask(movies, "/profiles/Ann")
    assert ([one["title"] for one in said["history"]], said["rated"]) == (["Movie 0", "Movie 3"], 2)


async def test_those_with_the_same_taste_are_alike(movies: Bench) -> None:
    said = SimilarUsersSaid.model_validate(await ask(movies, "/profiles/Ann/similar"))
    assert [one.user_id for one in said.users] == ["bob"]
    assert (said.compared_with, said.users[0].similarity > 0.9) == (3, True)
    assert (await ask(movies, "/profiles/nobody/similar"))["users"] == []


async def test_items_are_found_by_title_and_have_neighbours(movies: Bench) -> None:
    assert [one.item_id for one in Items.model_validate(await ask(movies, "/items?limit=3")).items] == ["m0", "m1", "m2"]
    assert [one["item_id"] for one in (await ask(movies, "/items?q=MOVIE 19&limit=2"))["items"]] == ["m19", "m190"]
    assert [one["title"] for one in (await ask(movies, "/items?q=m7"))["items"]] == ["Movie 7"]
    near = SimilarItems.model_validate(await ask(movies, "/items/m7/similar?limit=2"))
    assert ({one.item_id for one in near.items}, near.title, near.items[0].boosted) == ({"m6", "m8"}, "Movie 7", True)
    await ask(movies, "/items/m999/similar", status=404)


@pytest.mark.parametrize(
    ("path", "role", "status"),
    [
        ("/profiles", Role.USER, 403),
        ("/profiles", Role.VIEWER, 403),
        ("/profiles", Role.SERVICE, 200),
        ("/profiles/Ann", Role.USER, 200),
        ("/profiles/bob", Role.USER, 403),
        ("/profiles/bob", Role.OPERATOR, 200),
        ("/profiles/Ann/similar", Role.USER, 403),
        ("/items", Role.USER, 403),
        ("/items", Role.VIEWER, 200),
    ],
)
async def test_a_user_sees_his_own_profile_and_nobody_elses(movies: Bench, path: str, role: Role, status: int) -> None:
    await ask(movies, path, role, status=status)


async def test_without_redis_nothing_is_known(movies: Bench) -> None:
    movies.audience.away = True
    assert (await ask(movies, "/profiles", status=503))["type"].endswith("unavailable")
    await ask(movies, "/profiles/Ann", status=503)
    await ask(movies, "/profiles/Ann/similar", status=503)
