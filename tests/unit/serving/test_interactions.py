"""`POST /interactions`, `/clicks`, `/items/{item_id}/feedback` on twins."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from evergreen.contracts.business import BusinessFeedbackReceived, RecommendationClicked, UserInteraction
from evergreen.contracts.topics import payload_of
from evergreen.core.access import Role
from tests.support.serving_bench import NOW, Bench

pytestmark = pytest.mark.anyio
DID = ("/interactions", {"user_id": "u1", "interaction_type": "like", "item_ids": ["318", "50"], "context": {"page": "home"}})
CLICKED = ("/clicks", {"user_id": "u1", "item_id": "318", "recommendation_context": {"list_id": "L1", "position": 3}})
RATED = ("/items/318/feedback", {"user_id": "u1", "rating": 4.5, "text": "꼭 보세요"})
ALL = [pytest.param(*said, id=said[0].split("/")[-1]) for said in (DID, CLICKED, RATED)]


async def tell(client: httpx.AsyncClient, path: str, body: Any, key: str | None = None) -> httpx.Response:
    return await client.post(path, json=body, headers={} if key is None else {"Idempotency-Key": key})


async def test_each_becomes_its_event_and_is_told_where_it_lies(client: httpx.AsyncClient, running: Bench) -> None:
    answers = [await tell(client, *said) for said in (DID, CLICKED, RATED, DID)]
    assert [answer.status_code for answer in answers] == [202] * 4
    events = running.publisher.events[-4:]
    assert [answer.json() for answer in answers] == [
        {"id": event.id, "status": "accepted", "as_of": as_of}
        for event, as_of in zip(events, ("interactions:0:0", "clicks:0:0", "feedback:0:0", "interactions:0:1"), strict=True)
    ]
    assert [payload_of(event) for event in events[:3]] == [
        UserInteraction(user_id="u1", interaction_type="like", item_ids=("318", "50"), context={"page": "home"}),
        RecommendationClicked(user_id="u1", item_id="318", recommendation_context={"list_id": "L1", "position": 3}),
        BusinessFeedbackReceived(user_id="u1", item_id="318", rating=4.5, text="꼭 보세요"),
    ]
    assert {(event.source, event.subject, event.time) for event in events} == {("/serving/movie_recommender", "u1", NOW)}


@pytest.mark.parametrize(("path", "body"), ALL)
async def test_without_kafkas_word_it_is_503_and_again_later_the_same_event(client: httpx.AsyncClient, running: Bench, path: str, body: Any) -> None:
    running.publisher.away = True
    answer = await tell(client, path, body, key="k")
    assert (answer.status_code, answer.json()["type"], answer.headers["retry-after"]) == (503, "urn:evergreen:problem:unavailable", "1")
    running.publisher.away = False
    first, second = await tell(client, path, body, key="k"), await tell(client, path, body, key="k")
    assert (first.status_code, first.json()["id"]) == (202, second.json()["id"])
    one, other = running.publisher.events[-2:]
    assert (one.id, one.content_hash()) == (other.id, other.content_hash())


@pytest.mark.parametrize(("path", "body"), ALL)
async def test_a_key_means_one_statement_of_one_user(client: httpx.AsyncClient, path: str, body: Any) -> None:
    first = await tell(client, path, body, key="k")
    other = await tell(client, path, {**body, "user_id": "u2"}, key="k")
    assert (first.status_code, other.status_code) == (202, 202)
    assert first.json()["id"] != other.json()["id"]
    changes: dict[str, dict[str, Any]] = {"interactions": {"interaction_type": "view"}, "clicks": {"item_id": "1"}, "feedback": {"rating": 1}}
    changed = changes[path.split("/")[-1]]
    again = await tell(client, path, {**body, **changed}, key="k")
    assert (again.status_code, again.json()["type"]) == (422, "urn:evergreen:problem:idempotency-key-reused")


@pytest.mark.parametrize(("path", "body"), ALL)
async def test_a_user_speaks_for_nobody_else(running: Bench, path: str, body: Any) -> None:
    async with running.client(Role.USER, subject="u2") as stranger, running.client(Role.USER, subject="u1") as own:
        refused = await tell(stranger, path, body)
        assert (refused.status_code, refused.json()["type"]) == (403, "urn:evergreen:problem:forbidden")
        assert "u1" not in refused.text
        assert (await tell(own, path, body)).status_code == 202
    for role in (Role.ANALYST, Role.OPERATOR, Role.SERVICE):
        assert (await tell(running.client(role), path, body)).status_code == 202
    for roles in ((Role.VIEWER,), (Role.USER, Role.VIEWER)):
        assert (await tell(running.client(*roles, subject="u2"), path, body)).status_code == 403


@pytest.mark.parametrize(
    ("path", "change"),
    [
        pytest.param("/interactions", {"interaction_type": "stare"}, id="unknown-type"),
        pytest.param("/interactions", {"item_ids": []}, id="no-item"),
        pytest.param("/interactions", {"item_ids": ["1"] * 101}, id="too-many-items"),
        pytest.param("/interactions", {"item_ids": ["a:b"]}, id="colon"),
        pytest.param("/interactions", {"user_id": "u 1"}, id="space"),
        pytest.param("/interactions", {"user_id": ""}, id="nobody"),
        pytest.param("/interactions", {"context": {"page": {"deep": 1}}}, id="deep-context"),
        pytest.param("/interactions", {"context": {"page": "a\x00b"}}, id="nul"),
        pytest.param("/interactions", {"extra": 1}, id="extra"),
        pytest.param("/clicks", {"recommendation_context": {"position": -1}}, id="position"),
        pytest.param("/clicks", {"recommendation_context": {"list": "L1"}}, id="unknown-context"),
        pytest.param("/items/318/feedback", {"rating": 0}, id="rating-below"),
        pytest.param("/items/318/feedback", {"rating": 5.5}, id="rating-above"),
        pytest.param("/items/318/feedback", {"rating": "4"}, id="rating-in-words"),
        pytest.param("/items/318/feedback", {"rating": None}, id="rating-null"),
        pytest.param("/items/3:18/feedback", {}, id="item-with-colon"),
    ],
)
async def test_what_cannot_be_used_is_refused_and_not_published(client: httpx.AsyncClient, running: Bench, path: str, change: dict[str, Any]) -> None:
    body: Any = {"/interactions": DID, "/clicks": CLICKED}.get(path, RATED)[1]
    answer = await tell(client, path, {**body, **change})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert [event for event in running.publisher.events if event.type != "prediction_request"] == []


async def test_feedback_says_something(client: httpx.AsyncClient, running: Bench) -> None:
    assert (await tell(client, RATED[0], {"user_id": "u1"})).status_code == 422
    assert (await tell(client, RATED[0], {"user_id": "u1", "text": "나쁘지 않다"})).status_code == 202
    assert running.publisher.of_type("business_feedback_received")[-1].data == {"user_id": "u1", "item_id": "318", "rating": None, "text": "나쁘지 않다"}
