"""`POST /feedback` on twins."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from evergreen.contracts.events import PredictionFeedback
from evergreen.contracts.topics import payload_of
from tests.support.serving_bench import NOW, SPEC, STANDING, Bench

pytestmark = pytest.mark.anyio
BODY = {"video_id": "v1", "outcome": {"view_count": 1000}}


async def tell(client: httpx.AsyncClient, body: Any = None, key: str | None = None) -> httpx.Response:
    return await client.post("/feedback", json=BODY if body is None else body, headers={} if key is None else {"Idempotency-Key": key})


async def test_it_is_accepted_after_kafka_took_it(client: httpx.AsyncClient, running: Bench) -> None:
    answer = await tell(client, {**BODY, "prediction_id": "p-1"})
    [event] = running.publisher.of_type("prediction_feedback")
    assert (answer.status_code, answer.json()) == (202, {"id": event.id, "status": "accepted"})
    assert payload_of(event) == PredictionFeedback(model_name=SPEC.name, entity="v1", prediction_id="p-1", outcome={"view_count": 1000})
    assert (event.source, event.subject, event.time) == (f"/serving/{SPEC.name}", "v1", NOW)


async def test_without_kafkas_word_it_is_503_and_again_later(client: httpx.AsyncClient, running: Bench) -> None:
    running.publisher.away = True
    answer = await tell(client, key="k")
    assert (answer.status_code, answer.json()["type"], answer.headers["retry-after"]) == (503, "urn:evergreen:problem:unavailable", "1")
    running.publisher.away = False
    again = await tell(client, key="k")
    assert again.status_code == 202
    assert [event.id for event in running.publisher.events] == [again.json()["id"]]


async def test_a_repeat_with_its_key_is_the_same_event_whenever_it_comes(client: httpx.AsyncClient, running: Bench) -> None:
    first = await tell(client, key="k")
    running.fleet.clock = replace(STANDING, base=NOW + timedelta(days=3), epoch=2)
    running.fleet.heard()
    await running.until(lambda: running.clock.now() > NOW)
    second = await tell(client, key="k")
    assert first.json() == second.json()
    one, other = running.publisher.of_type("prediction_feedback")
    assert (one.id, one.content_hash()) == (other.id, other.content_hash())


async def test_without_a_key_each_is_its_own(client: httpx.AsyncClient) -> None:
    assert (await tell(client)).json()["id"] != (await tell(client)).json()["id"]


async def test_a_key_means_one_statement(client: httpx.AsyncClient, running: Bench) -> None:
    await tell(client, key="k")
    other = await tell(client, {"video_id": "v1", "outcome": {"view_count": 2000}}, key="k")
    assert (other.status_code, other.json()["type"]) == (422, "urn:evergreen:problem:idempotency-key-reused")
    assert (await tell(client, {"video_id": "v2", "outcome": {"view_count": 2000}}, key="k")).status_code == 202
    assert [event.subject for event in running.publisher.events] == ["v1", "v2"]


async def test_without_redis_a_repeat_still_has_its_id(client: httpx.AsyncClient, running: Bench) -> None:
    running.keys.away = True
    assert (await tell(client, key="k")).json() == (await tell(client, key="k")).json()


@pytest.mark.parametrize("kept", ["not json", "[]", "{}", '{"time": "yesterday", "hash": "x"}', json.dumps({"time": 3, "hash": None})])
async def test_what_is_not_ours_under_a_key_costs_nothing(client: httpx.AsyncClient, running: Bench, kept: str) -> None:
    first = await tell(client, key="k")
    [key] = running.keys.said
    running.keys.said[key] = kept
    assert (await tell(client, key="k")).json() == first.json()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({"video_id": "v1", "outcome": {}}, 422, id="nothing"),
        pytest.param({"video_id": "v1", "outcome": {"likes": 3}}, 422, id="no-label"),
        pytest.param({"video_id": "v1", "outcome": {"view_count": -1}}, 422, id="below-zero"),
        pytest.param({"video_id": "v1", "outcome": {"view_count": True}}, 422, id="a-flag"),
        pytest.param({"video_id": "v1", "outcome": {"view_count": "many"}}, 422, id="words"),
        pytest.param({"video_id": "v1", "outcome": {"view_count": [1]}}, 422, id="a-list"),
        pytest.param({"video_id": "v1", "outcome": {"view_count": 1, "note": "a\x00b"}}, 422, id="nul"),
        pytest.param({"video_id": "v 1", "outcome": {"view_count": 1}}, 422, id="space-in-id"),
        pytest.param({"video_id": "v1", "outcome": {"view_count": 1}, "extra": 1}, 422, id="extra"),
        pytest.param({"video_id": "v1", "outcome": {"view_count": 1}, "model": "unknown_model"}, 404, id="unknown-model"),
        pytest.param({"video_id": "v1", "outcome": {"view_count": 1, **{f"n{at}": "x" * 19_000 for at in range(20)}}}, 422, id="too-large-for-an-event"),
    ],
)
async def test_what_cannot_be_used_is_refused_and_not_published(client: httpx.AsyncClient, running: Bench, body: dict[str, Any], status: int) -> None:
    answer = await tell(client, body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert running.publisher.of_type("prediction_feedback") == []


async def test_a_key_that_is_no_key_is_refused(client: httpx.AsyncClient) -> None:
    assert (await tell(client, key="k" * 129)).status_code == 422


async def test_it_is_of_a_video_or_of_an_entity_by_its_own_name(client: httpx.AsyncClient, running: Bench) -> None:
    outcome = BODY["outcome"]
    assert (await tell(client, {"entity": "order-1842", "model": SPEC.name, "outcome": outcome})).status_code == 202
    assert running.publisher.of_type("prediction_feedback")[-1].subject == "order-1842"
    for neither in (
        {"outcome": outcome},
        {**BODY, "entity": "e"},
        {"video_id": None, "entity": "e", "outcome": outcome},
        {"entity": "a b", "outcome": outcome},
    ):
        assert (await tell(client, neither)).status_code == 422
