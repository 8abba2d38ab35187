"""`POST /predict/batch` on twins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import httpx
import pytest

from evergreen.contracts.api_batch import BatchPrediction
from evergreen.ports.model import Rows
from evergreen.ports.serving import StoredFeatures
from tests.support.serving_bench import NOW, SPEC, Bench, Plain

pytestmark = pytest.mark.anyio
DIFFERS = {"cached", "processing_time", "prediction_id"}
GIVEN = {"title": "여름", "category_id": 22}


async def ask(client: httpx.AsyncClient, items: list[Any]) -> dict[str, Any]:
    answer = await client.post("/predict/batch", json={"items": items})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    BatchPrediction.model_validate(found)
    return found


def predictions(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [place["prediction"] for place in answer["predictions"]]


def without(answer: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in DIFFERS.union(names)}


def model(running: Bench) -> Plain:
    found = running.versions[1]
    assert isinstance(found, Plain)
    return found


async def test_each_answer_is_what_the_same_question_alone_is_answered_in_the_order_asked(client: httpx.AsyncClient, running: Bench) -> None:
    running.features.known[SPEC.name, "v9"] = StoredFeatures({"category_id": 10, "view_count": 77}, NOW - timedelta(days=8))
    running.features.known[SPEC.name, "channel:UC1"] = StoredFeatures({"channel_videos": 7.0}, NOW)
    items = [{"video_id": "v9"}, {"video_id": "a", "features": {"channel_id": "UC1", "rank": 2}}, {"video_id": "b", "features": {}}]
    running.seen.items.add("a")
    together = await ask(client, items)
    running.cache.entries.clear()
    alone = [(await client.post("/predict/video", json=item)).json() for item in items]
    assert [without(one) for one in predictions(together)] == [without(one) for one in alone]
    assert [place["video_id"] for place in together["predictions"]] == ["v9", "a", "b"]
    assert (together["model_version"], together["epoch"], together["failed"], together["degraded"]) == (f"{SPEC.name}@1", 1, 0, True)


async def test_what_is_stored_is_asked_for_once_and_the_model_is_called_once_per_different_question(client: httpx.AsyncClient, running: Bench) -> None:
    for number in range(100):
        running.features.known[SPEC.name, f"v{number}"] = StoredFeatures({"view_count": number, "channel_id": f"UC{number % 3}"}, NOW)
    items = [{"video_id": f"v{number % 100}"} for number in range(256)]
    answer = await ask(client, items)
    assert [one["view_count"] for one in predictions(answer)] == [number % 100 for number in range(256)]
    assert [len(asked) for asked in running.features.together] == [100, 3]
    assert len(model(running).asked) - 1 <= 100  # and the warm-up


async def test_an_item_that_cannot_be_used_or_is_not_known_fails_alone_in_its_place(client: httpx.AsyncClient) -> None:
    items = [{"video_id": "ok", "features": GIVEN}, {"video_id": "nobody"}, {"video_id": 7}, "text", {"video_id": "x", "features": {"title": "\x00"}}]
    answer = await ask(client, [*items, {"video_id": "ok", "features": GIVEN}])
    errors = [place["error"] and (place["error"]["type"].rpartition(":")[2], place["error"]["status"]) for place in answer["predictions"]]
    assert errors == [None, ("unknown-video", 404), *[("invalid-request", 422)] * 3, None]
    assert (answer["failed"], answer["degraded"]) == (4, False)
    assert answer["predictions"][2]["video_id"] is None


async def test_one_row_that_breaks_the_model_costs_the_others_nothing(client: httpx.AsyncClient, running: Bench) -> None:
    plain, real = model(running), model(running).answer

    def answer(requests: Sequence[Mapping[str, Any]], rows: Rows = None) -> list[dict[str, Any]]:
        if any(request.get("category_id") == 13 for request in requests):
            raise RuntimeError("SELECT secret FROM table at /srv/model.py")
        return real(requests, rows)

    plain.answer = answer  # type: ignore[method-assign]
    said = await ask(client, [{"video_id": f"v{number}", "features": {"category_id": number}} for number in range(20)])
    assert [place["error"] is not None for place in said["predictions"]] == [number == 13 for number in range(20)]
    error = said["predictions"][13]["error"]
    assert (error["type"], error["status"]) == ("urn:evergreen:problem:internal-error", 500)
    assert "secret" not in str(said)


async def test_the_cache_is_used_and_filled_per_item_and_shared_with_single_predictions(client: httpx.AsyncClient) -> None:
    items = [{"video_id": "a", "features": GIVEN}, {"video_id": "b", "features": GIVEN}]
    await client.post("/predict/video", json=items[0])
    first, second = predictions(await ask(client, items)), predictions(await ask(client, items))
    assert [one["cached"] for one in first] == [True, False]
    assert [one["cached"] for one in second] == [True, True]
    assert (await client.post("/predict/video", json=items[1])).json()["cached"] is True
    assert [without(one) for one in first] == [without(one) for one in second]


async def test_without_redis_every_answer_is_there_and_says_what_was_missing(client: httpx.AsyncClient, running: Bench) -> None:
    running.cache.away = running.seen.away = True
    answer = await ask(client, [{"video_id": "a", "features": GIVEN}, {"video_id": "nobody"}])
    [prediction, _] = predictions(answer)
    assert (answer["degraded"], prediction["degraded_reasons"]) == (True, ["cache_unavailable", "seen_index_unavailable"])
    assert answer["predictions"][1]["error"]["type"].endswith("unknown-video")


async def test_without_the_feature_store_given_and_remembered_items_are_answered(client: httpx.AsyncClient, running: Bench) -> None:
    running.features.known[SPEC.name, "known"] = StoredFeatures({"view_count": 5}, NOW)
    await ask(client, [{"video_id": "known"}])
    running.features.away = True
    answer = await ask(
        client, [{"video_id": "known"}, {"video_id": "other"}, {"video_id": "c", "features": {"channel_id": "UC1"}}, {"video_id": "d", "features": {}}]
    )
    known, other, of_channel, given = predictions(answer)
    error = answer["predictions"][1]["error"]
    assert (known["view_count"], known["degraded_reasons"]) == (5, ["features_unavailable"])
    assert (other is None, error["status"]) == (True, 503)
    assert (of_channel["degraded_reasons"], given["degraded"]) == (["features_unavailable"], False)
    running.features.away = False
    assert predictions(await ask(client, [{"video_id": "c", "features": {"channel_id": "UC1"}}]))[0]["cached"] is False  # not kept: it lacked something


async def test_each_answer_is_logged_like_a_single_one(client: httpx.AsyncClient, running: Bench) -> None:
    answer = await ask(client, [{"video_id": "a", "features": GIVEN}, {"video_id": "nobody"}, {"video_id": "a", "features": GIVEN}])
    await running.until(lambda: len(running.publisher.of_type("prediction_completed")) == 2)
    logged = {event.data["prediction_id"] for event in running.publisher.of_type("prediction_completed")}
    assert logged == {one["prediction_id"] for one in predictions(answer) if one}


@pytest.mark.parametrize("body", [{"items": []}, {"items": [{"video_id": "v"}] * 257}, {"items": "v"}, {}, {"items": [{"video_id": "v"}], "more": 1}])
async def test_a_batch_of_none_of_too_many_or_of_another_shape_is_refused(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    refused = await client.post("/predict/batch", json=body)
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:evergreen:problem:invalid-request")
