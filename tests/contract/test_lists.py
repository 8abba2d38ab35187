"""Kept lists: one suite for the twin and for Redis; and serving beside the worker that makes lists for pushes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pytest
from redis import Redis

from evergreen.adapters.memory.lists import MemoryLists
from evergreen.adapters.redis_link import RedisLink
from evergreen.adapters.redis_lists import RedisLists, RedisPushes, read_list
from evergreen.adapters.redis_profiles import WHOLE, RedisProfiles, key
from evergreen.ports.lists import Known, Listed, Lists, MadeList
from evergreen.ports.profiles import NewList
from tests.support.listed import MADE, list_body

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Real:
    lists: RedisLists
    pushes: RedisPushes
    profiles: RedisProfiles
    client: Redis


@pytest.fixture
def client(stack_settings) -> Iterator[Redis]:
    with Redis.from_url(stack_settings.redis.url.get_secret_value()) as found:
        yield found


@pytest.fixture
async def real(stack_settings, client: Redis) -> AsyncIterator[Real]:
    link = RedisLink(stack_settings.redis.url.get_secret_value(), 1.0)
    yield Real(RedisLists(link), RedisPushes(link), RedisProfiles(client), client)
    await link.close()


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.connected)])
def lists(request: pytest.FixtureRequest) -> Lists:
    if request.param == "memory":
        return MemoryLists()
    found: Lists = request.getfixturevalue("real").lists
    return found


@pytest.fixture
def known(request: pytest.FixtureRequest, lists: Lists) -> str:
    """A user with a profile."""
    user = someone()
    if isinstance(lists, RedisLists):
        request.getfixturevalue("client").hset(key("profile", user), "n", 1)
    return user


def made(user: str, number: int) -> MadeList:
    found = read_list(list_body(user, number, 20), user)
    assert found is not None
    return found


def someone() -> str:
    return f"u-{uuid4()}"


async def test_what_is_kept_is_what_was_made(lists: Lists, known: str) -> None:
    user = known
    assert await lists.stored(user) is None
    await lists.keep(user, made(user, 3), 3)
    assert await lists.stored(user) == made(user, 3)


async def test_a_list_that_reflects_more_stays(lists: Lists, known: str) -> None:
    user = known
    await lists.keep(user, made(user, 5), 5)
    await lists.keep(user, made(user, 3), 3)
    assert await lists.stored(user) == made(user, 5)
    await lists.keep(user, replace(made(user, 5), version="movie_recommender@2"), 5)
    assert (await lists.stored(user) or made(user, 0)).version == "movie_recommender@2"


async def test_of_an_unknown_user_nothing_is_known(lists: Lists) -> None:
    known = await lists.taste(someone(), MADE)
    assert (known.taste.count, known.taste.history, known.taste.as_of) == (0, (), {})


@pytest.mark.connected
async def test_a_list_kept_by_serving_takes_no_push_away(real: Real) -> None:
    """Serving may have made the list of an interaction before the worker does."""
    user = someone()
    real.client.hset(key("profile", user), "n", 4)
    await real.lists.keep(user, made(user, 4), 4)
    body = json.loads(list_body(user, 4, 20))
    for _ in range(2):  # redelivered
        real.profiles.put_lists([NewList(user, 4, body, {**body, "items": body["items"][:10]})])
    found, _ = await real.pushes.begin(user, "0-0")
    assert len(found) == 1
    assert (read_list(found[0].body, user) or made(user, 0)).items == made(user, 4).items[:10]
    await real.lists.keep(user, made(user, 4), 4)
    real.profiles.put_lists([NewList(user, 4, body, body)])
    assert len((await real.pushes.begin(user, "0-0"))[0]) == 1


@pytest.mark.connected
async def test_of_a_user_who_was_forgotten_meanwhile_nothing_is_kept(real: Real) -> None:
    user = someone()
    await real.lists.keep(user, made(user, 4), 4)
    assert await real.lists.stored(user) is None


@pytest.mark.connected
@pytest.mark.parametrize("body", [b"", b"null", b"nonsense", b'{"user_id": 3}', list_body("somebody-else", 1), list_body("u", 1).replace(b"+00:00", b"")])
async def test_what_cannot_be_read_is_no_list(real: Real, body: bytes) -> None:
    user = someone()
    real.client.hset(key("list", user), "body", body.decode())
    assert await real.lists.stored(user) is None
    real.client.delete(key("list", user))
    real.client.set(key("list", user), "no hash")
    assert await real.lists.stored(user) is None


@pytest.mark.connected
async def test_what_was_shown_is_known_to_the_next_list(real: Real) -> None:
    user = someone()
    for _ in range(3):
        real.lists.show(user, ["m1", "m2"])

    async def shown() -> Any:
        return (await real.lists.taste(user, MADE)).taste.shown

    async with asyncio.timeout(5):
        while await shown() != {"m1": 3, "m2": 3}:  # noqa: ASYNC110 - nobody waits for what is left of a list
            await asyncio.sleep(0.01)


@pytest.mark.connected
async def test_whether_an_unknown_user_may_be_a_known_one_is_said(real: Real) -> None:
    real.client.delete(WHOLE)
    assert (await real.lists.taste(someone(), MADE)) == Known((await real.lists.taste(someone(), MADE)).taste, whole=False)
    real.profiles.say_whole()
    assert (await real.lists.taste(someone(), MADE)).whole


@pytest.mark.connected
async def test_what_is_popular_is_remembered(real: Real) -> None:
    popular = [Listed("m1", "Movie 1", 0.0, "popular now")]
    real.lists.keep_popular(popular)
    async with asyncio.timeout(5):
        while await real.lists.popular() != popular:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
    real.client.set("rec:popular", "nonsense")
    assert await real.lists.popular() == ()
