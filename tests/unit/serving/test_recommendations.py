"""`GET /recommendations/{user_id}` on twins: where a list comes from, what it reflects, and what is said when a part is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from evergreen.adapters.redis_lists import read_list
from evergreen.contracts.api_recommendations import RecommendationList
from evergreen.contracts.business import RecommendationsShown
from evergreen.contracts.topics import payload_of
from evergreen.core.access import ALLOWED, Need, Role
from evergreen.core.as_of import Place
from evergreen.core.earlier import entity_of, features_of
from evergreen.core.experiment import Experiment, Variant
from evergreen.core.recommending import MODEL, Taste, Touched, milliseconds
from evergreen.ports.lists import MadeList
from evergreen.ports.serving import StoredFeatures
from evergreen.services import recommend as service
from tests.support.listed import champion, list_body
from tests.support.serving_bench import NOW, Bench

pytestmark = pytest.mark.anyio
WATCHED = Taste(
    history=(Touched("m10", "like", NOW - timedelta(hours=1)), Touched("m12", "view", NOW - timedelta(hours=2))),
    owned=frozenset({"m0", "m1"}),
    preferences={"Comedy": 0.5},
    count=2,
    as_of={"interactions": Place(0, 7)},
)


@pytest.fixture
async def movies(running: Bench) -> Bench:
    running.slots.swap(champion())
    running.lists.tastes["u1"] = WATCHED
    return running


async def ask(bench: Bench, query: str = "", user: str = "u1") -> RecommendationList:
    async with bench.client() as client:
        answer = await client.get(f"/recommendations/{user}{query}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return RecommendationList.model_validate(answer.json())


def stored(user: str, number: int, **about: Any) -> tuple[MadeList, int]:
    made = read_list(list_body(user, number, 20, **about), user)
    assert made is not None
    return made, number


async def test_a_kept_list_is_answered_as_it_is(movies: Bench) -> None:
    movies.lists.kept["u1"] = stored("u1", 7)
    said = await ask(movies, "?k=5")
    assert [(item.position, item.item_id) for item in said.items] == [(at + 1, f"m{at}") for at in range(5)]
    assert (said.origin, said.model_version, said.as_of, said.reflected, said.degraded) == ("stored", "movie_recommender@1", "interactions:0:7", None, False)
    assert (await ask(movies, "?k=5")).list_id == said.list_id
    assert (await ask(movies, "?k=6")).list_id != said.list_id
    assert movies.lists.shown[0] == ("u1", ("m0", "m1", "m2", "m3", "m4"))


async def test_without_one_it_is_made_from_the_profile_and_kept(movies: Bench) -> None:
    said = await ask(movies)
    ids = [item.item_id for item in said.items]
    assert (said.origin, len(ids), said.as_of) == ("computed", 20, "interactions:0:7")
    assert not {"m0", "m1", "m10"} & set(ids)
    assert said.items[0].reason == "because you watched Movie 10"
    again = await ask(movies)
    assert (again.origin, [item.item_id for item in again.items], again.list_id) == ("stored", ids, said.list_id)


async def test_a_list_of_another_version_than_the_champion_is_made_anew(movies: Bench) -> None:
    movies.lists.kept["u1"] = stored("u1", 2)
    movies.slots.swap(champion(2))
    assert ((await ask(movies)).model_version, (await ask(movies)).origin) == ("movie_recommender@2", "stored")


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        pytest.param("?k=50", lambda said: len(said.items) == 50, id="more-than-is-kept"),
        pytest.param("?diversity=0", lambda said: said.items[0].score >= said.items[-1].score, id="the-best"),
        pytest.param("?category=Horror&k=30", lambda said: all(100 <= int(item.item_id[1:]) < 150 for item in said.items), id="one-genre"),
        pytest.param("?category=Nothing", lambda said: said.items == [], id="no-such-genre"),
    ],
)
async def test_what_is_asked_for_in_unusual_ways_is_made_and_not_kept(movies: Bench, query: str, holds: Callable[[RecommendationList], bool]) -> None:
    said = await ask(movies, query)
    assert said.origin == "computed"
    assert holds(said)
    assert movies.lists.kept == {}


async def test_more_diversity_brings_more_genres(movies: Bench) -> None:
    def genres(said: RecommendationList) -> int:
        return len({int(item.item_id[1:]) // 50 for item in said.items})

    assert genres(await ask(movies, "?diversity=0.9")) > genres(await ask(movies, "?diversity=0"))


async def test_it_waits_for_what_the_caller_did(movies: Bench) -> None:
    movies.lists.kept["u1"] = stored("u1", 7)
    asking = asyncio.create_task(ask(movies, "?as_of=interactions:0:8"))
    await asyncio.sleep(0.1)
    assert not asking.done()
    movies.lists.kept["u1"] = stored("u1", 8)
    said = await asking
    assert (said.origin, said.as_of, said.reflected) == ("stored", "interactions:0:8", True)


async def test_a_profile_that_is_further_than_its_list_will_do(movies: Bench) -> None:
    """A view changes the profile; no new list is pushed for it."""
    movies.lists.kept["u1"] = stored("u1", 3)
    said = await ask(movies, "?as_of=interactions:0:7")
    assert (said.origin, said.as_of, said.reflected) == ("computed", "interactions:0:7", True)


async def test_it_waits_a_bounded_time_and_says_that_it_is_not_in(movies: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "WAIT_SECONDS", 0.2)
    for as_of in ("interactions:0:99", "clicks:0:1", "interactions:1:1"):
        begun = asyncio.get_running_loop().time()
        said = await ask(movies, f"?as_of={as_of}")
        assert (said.reflected, said.as_of) == (False, "interactions:0:7")
        assert 0.15 < asyncio.get_running_loop().time() - begun < 2


async def test_an_unknown_user_is_shown_what_is_popular(movies: Bench) -> None:
    said = await ask(movies, user="nobody")
    assert (said.origin, said.degraded, said.as_of) == ("computed", False, "")
    assert {item.reason for item in said.items} == {"popular now"}
    movies.lists.whole = False
    other = await ask(movies, user="perhaps-somebody")
    assert (other.degraded_reasons, other.degraded) == (["profile_rebuilding"], True)
    assert "perhaps-somebody" not in movies.lists.kept


async def test_who_is_known_from_batches_alone_gets_a_list_of_their_own(movies: Bench) -> None:
    told = features_of([("m30", "high_rating", milliseconds(NOW - timedelta(hours=3)))], ["m29", "m30", "m31"])
    movies.features.known[MODEL, entity_of("loaded")] = StoredFeatures(told, NOW)
    said = await ask(movies, user="loaded")
    ids = [item.item_id for item in said.items]
    assert (said.origin, said.degraded, said.as_of, said.items[0].reason) == ("computed", False, "", "because you watched Movie 30")
    assert {"m28", "m32"} <= set(ids)
    assert not {"m29", "m30", "m31"} & set(ids)
    asked = movies.features.asked
    assert (await ask(movies, user="loaded")).origin == "stored"
    assert movies.features.asked == asked, "a kept list is all that is read"


async def test_a_list_without_what_batches_know_says_so_and_is_not_kept(movies: Bench) -> None:
    movies.features.away = True
    said = await ask(movies)
    assert (said.origin, said.degraded_reasons, said.items[0].reason) == ("computed", ["profile_unavailable"], "because you watched Movie 10")
    assert movies.lists.kept == {}
    movies.features.away = False
    assert (await ask(movies)).degraded is False


async def test_without_redis_it_is_what_the_model_says_is_popular(movies: Bench) -> None:
    movies.lists.away = True
    said = await ask(movies, "?k=3")
    assert (said.origin, said.degraded_reasons, said.model_version) == ("popular", ["profile_unavailable"], "movie_recommender@1")
    assert [item.item_id for item in said.items] == ["m0", "m1", "m2"]
    comedies = await ask(movies, "?k=100&category=Drama")
    assert [item.item_id for item in comedies.items] == [f"m{at}" for at in range(50, 100)]


async def test_without_a_model_a_kept_list_is_good_and_what_was_popular_is_remembered(running: Bench) -> None:
    running.lists.kept["u1"] = stored("u1", 7)
    assert ((await ask(running)).origin, (await ask(running)).degraded) == ("stored", False)
    async with running.client() as client:
        nothing = await client.get("/recommendations/u2")
    assert (nothing.status_code, nothing.json()["type"], nothing.headers["retry-after"]) == (503, "urn:evergreen:problem:no-champion", "5")
    running.lists.last_popular = read_list(list_body("u1", 1), "u1").items  # type: ignore[union-attr]
    said = await ask(running, "?k=4", user="u2")
    assert (said.origin, said.degraded_reasons, said.model_version, len(said.items)) == ("popular", ["model_unavailable"], None, 4)


async def test_a_version_tells_once_what_is_popular(movies: Bench) -> None:
    await ask(movies)
    assert [item.item_id for item in movies.lists.last_popular] == [f"m{at}" for at in range(100)]


async def test_what_several_ask_at_once_is_made_once_and_more_than_can_be_made_is_popular(movies: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    taste = movies.lists.taste

    async def counted(user: str, now: Any) -> Any:
        made.append(user)
        return await taste(user, now)

    movies.lists.taste = counted  # type: ignore[method-assign]
    lists = await asyncio.gather(*(ask(movies) for _ in range(8)))
    assert (made, len({said.list_id for said in lists})) == (["u1"], 1)
    monkeypatch.setattr(service, "MOST_UNDER_WAY", 0)
    assert (await ask(movies, user="u9")).degraded_reasons == ["overloaded"]


async def test_it_is_told_as_shown_before_it_is_and_once_for_each_list(movies: Bench) -> None:
    first, again, shorter = await ask(movies), await ask(movies), await ask(movies, "?k=5")
    told = movies.publisher.of_type("recommendations_shown")
    assert [event.subject for event in told] == ["u1"] * 3
    assert told[0].id == told[1].id != told[2].id
    assert payload_of(told[2]) == RecommendationsShown(
        user_id="u1",
        list_id=shorter.list_id,
        model_name="movie_recommender",
        model_version="movie_recommender@1",
        items=tuple(item.item_id for item in shorter.items),
    )
    assert first.list_id == again.list_id


async def test_what_somebody_else_looks_at_was_not_shown(movies: Bench) -> None:
    for role in (Role.ANALYST, Role.OPERATOR):
        assert (await movies.client(role, subject="ann").get("/recommendations/u1")).status_code == 200
    assert (movies.lists.shown, movies.publisher.of_type("recommendations_shown")) == ([], [])
    await movies.client(Role.USER, subject="u1").get("/recommendations/u1")
    assert len(movies.lists.shown) == len(movies.publisher.of_type("recommendations_shown")) == 1


async def test_who_takes_part_in_an_experiment_is_shown_its_variant_and_told(movies: Bench) -> None:
    """By answer and by push, every list made at that look: were the control's kept, it would be counted by other lists than the others."""
    await movies.serving.listener.stop()  # it would look, and find neither the version nor the experiment
    movies.slots.hold(champion(2).loaded)
    variants = (Variant("control"), Variant("newer", version=2), Variant("broad", params={"diversity": 0.9}))
    movies.serving.listener.assigner.follow([Experiment("fresh", "movie_recommender", variants, share=1.0)])
    seen: dict[str, RecommendationList] = {}
    for number in range(40):
        said = await ask(movies, user=f"u{number}")
        assert (said.experiment, said.origin) == ("fresh", "computed")
        seen.setdefault(said.variant or "", said)
    assert {name: said.model_version for name, said in seen.items()} == {
        "control": "movie_recommender@1",
        "newer": "movie_recommender@2",
        "broad": "movie_recommender@1",
    }
    assert set(movies.lists.kept) & {said.user_id for said in seen.values()} == set()
    told = {event.data["user_id"]: event.data["variant"] for event in movies.publisher.of_type("recommendations_shown")}
    assert {told[said.user_id] for said in seen.values()} == set(seen)
    for name, said in seen.items():
        movies.pushes.push(said.user_id, list_body(said.user_id, 1))
        async with movies.client() as client:
            [data] = [line for line in (await client.get(f"/recommendations/{said.user_id}/stream?seconds=0")).text.split("\n") if line.startswith("data: ")]
        pushed = RecommendationList.model_validate_json(data.removeprefix("data: "))
        assert (pushed.variant, pushed.model_version, len(pushed.items)) == (name, said.model_version, 10)
    for query in ("?diversity=0.3", "?category=Drama"):
        assert (await ask(movies, query, user=seen["broad"].user_id)).experiment is None, "a caller's own wishes compare nothing"


async def test_nobody_reads_another_users_list(movies: Bench) -> None:
    for role in Role:
        answer = await movies.client(role, subject="u2").get("/recommendations/u1")
        assert answer.status_code == (200 if role in ALLOWED[Need.OWN] - {Role.USER} else 403), role
    assert (await movies.client(Role.USER, subject="u1").get("/recommendations/u1")).status_code == 200
    assert (await movies.client(token="").get("/recommendations/u1")).status_code == 401


@pytest.mark.parametrize("query", ["?k=0", "?k=101", "?diversity=1.1", "?as_of=yesterday", "?as_of=interactions:0", "?k=many"])
async def test_what_cannot_be_asked_is_refused(client: httpx.AsyncClient, query: str) -> None:
    assert (await client.get(f"/recommendations/u1{query}")).status_code == 422
