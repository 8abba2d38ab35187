"""`POST /predict/video` on twins."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from evergreen.contracts.api import VideoPrediction
from evergreen.ports.serving import StoredFeatures
from tests.support.serving_bench import NOW, SPEC, Bench, Plain

pytestmark = pytest.mark.anyio
BODY = {"video_id": "v1", "features": {"title": "여름", "category_id": 22}}
DIFFERS = {"cached", "processing_time", "prediction_id"}


async def ask(client: httpx.AsyncClient, body: Any = None, **headers: str) -> dict[str, Any]:
    answer = await client.post("/predict/video", json=BODY if body is None else body, headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return {name: value for name, value in one.items() if name not in DIFFERS} == {name: value for name, value in other.items() if name not in DIFFERS}


async def test_an_answer_has_every_field_and_names_its_version(client: httpx.AsyncClient) -> None:
    answer = await ask(client)
    assert VideoPrediction.model_validate(answer).model_version == f"{SPEC.name}@1"
    assert set(answer) == set(VideoPrediction.model_fields)
    assert (answer["epoch"], answer["cached"], answer["degraded"], answer["features_as_of"]) == (1, False, False, None)


async def test_the_same_question_again_is_answered_from_the_cache_with_the_same_words(client: httpx.AsyncClient, running: Bench) -> None:
    first, second = await ask(client), await ask(client)
    running.cache.entries.clear()
    third = await ask(client)
    assert (first["cached"], second["cached"], third["cached"]) == (False, True, False)
    assert same(first, second)
    assert same(first, third)
    assert len({first["prediction_id"], second["prediction_id"], third["prediction_id"]}) == 3


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({**BODY, "video_id": "v2"}, id="another-video"),
        pytest.param({"video_id": "v1", "features": {"title": "겨울", "category_id": 22}}, id="another-value"),
        pytest.param({"video_id": "v1", "features": {"title": "여름"}}, id="one-feature-less"),
        pytest.param({"video_id": "v1", "features": {}}, id="no-features"),
    ],
)
async def test_another_question_is_never_answered_with_a_cached_answer(client: httpx.AsyncClient, other: dict[str, Any]) -> None:
    await ask(client)
    assert (await ask(client, other))["cached"] is False


async def test_null_is_the_same_as_not_given(client: httpx.AsyncClient) -> None:
    await ask(client)
    assert (await ask(client, {"video_id": "v1", "features": {**BODY["features"], "duration": None}}))["cached"] is True  # type: ignore[dict-item]


async def test_what_the_model_does_not_know_is_ignored_and_said(client: httpx.AsyncClient) -> None:
    answer = await ask(client, {"video_id": "v1", "features": {"title": "x", "view_cuont": 3, "rank": 1}})
    assert answer["features_ignored"] == ["rank", "view_cuont"]
    assert "rank" not in answer["features_used"]


async def test_a_promotion_makes_every_cached_answer_old(client: httpx.AsyncClient, running: Bench) -> None:
    await ask(client)
    await running.deployed(2)
    answer = await ask(client)
    assert (answer["model_version"], answer["epoch"], answer["cached"]) == (f"{SPEC.name}@2", 2, False)


async def test_going_back_to_a_version_does_not_revive_what_was_cached_of_it(client: httpx.AsyncClient, running: Bench) -> None:
    await ask(client)
    await running.deployed(2)
    await running.deployed(1)
    answer = await ask(client)
    assert (answer["model_version"], answer["epoch"], answer["cached"]) == (f"{SPEC.name}@1", 3, False)


async def test_without_features_the_feature_store_is_asked(client: httpx.AsyncClient, running: Bench) -> None:
    running.features.known[SPEC.name, "v9"] = StoredFeatures({"category_id": 10, "view_count": 77}, NOW - timedelta(days=2))
    first, second = await ask(client, {"video_id": "v9"}), await ask(client, {"video_id": "v9"})
    assert (first["view_count"], first["features_as_of"], first["degraded"]) == (77, "2025-07-23T00:00:00Z", False)
    assert second["cached"] is True
    assert same(first, second)


async def test_new_features_in_the_store_are_a_new_question(client: httpx.AsyncClient, running: Bench) -> None:
    running.features.known[SPEC.name, "v9"] = StoredFeatures({"view_count": 77}, NOW)
    running.features.known[SPEC.name, "channel:UC1"] = StoredFeatures({"channel_videos": 7.0}, NOW)
    of_channel = {"video_id": "a", "features": {"channel_id": "UC1"}}
    await ask(client, {"video_id": "v9"})
    await ask(client, of_channel)
    running.features.known[SPEC.name, "v9"] = StoredFeatures({"view_count": 88}, NOW)
    running.features.known[SPEC.name, "channel:UC1"] = StoredFeatures({"channel_videos": 8.0}, NOW)
    answer = await ask(client, {"video_id": "v9"})
    assert (answer["cached"], answer["view_count"]) == (False, 88)
    assert (await ask(client, of_channel))["cached"] is False


async def test_features_as_old_as_a_week_degrade_the_answer(client: httpx.AsyncClient, running: Bench) -> None:
    running.features.known[SPEC.name, "v9"] = StoredFeatures({"category_id": 10}, NOW - timedelta(days=8))
    answer = await ask(client, {"video_id": "v9"})
    assert (answer["degraded"], answer["degraded_reasons"]) == (True, ["features_stale"])


async def test_a_video_nobody_knows_is_not_found_and_features_help(client: httpx.AsyncClient, running: Bench) -> None:
    running.seen.items.add("v404")  # a false positive of the seen index makes nothing exist
    missing = await client.post("/predict/video", json={"video_id": "v404"})
    assert (missing.status_code, missing.json()["type"]) == (404, "urn:evergreen:problem:unknown-video")
    assert (await ask(client, {"video_id": "v404", "features": {}}))["video_id"] == "v404"


async def test_the_channels_history_is_looked_up_unless_it_is_given(client: httpx.AsyncClient, running: Bench) -> None:
    running.features.known[SPEC.name, "channel:UC1"] = StoredFeatures({"channel_videos": 7.0, "channel_last_listed": "2025-07-20"}, NOW)
    asked = running.versions[1]
    assert isinstance(asked, Plain)
    await ask(client, {"video_id": "a", "features": {"channel_id": "UC1"}})
    assert asked.asked[-1] == {"channel_id": "UC1", "channel_videos": 7.0, "channel_last_listed": "2025-07-20"}
    await ask(client, {"video_id": "b", "features": {"channel_id": "UC1", "channel_videos": 2}})
    assert asked.asked[-1] == {"channel_id": "UC1", "channel_videos": 2}
    await ask(client, {"video_id": "c", "features": {"channel_title": "누구"}})
    assert asked.asked[-1] == {"channel_title": "누구", "channel_videos": 0.0}


@pytest.mark.parametrize(("item", "status"), [("v1", "probably seen in the last 7 days"), ("other", "not seen in the last 7 days")])
async def test_the_seen_index_is_asked_live_not_from_the_cache(client: httpx.AsyncClient, running: Bench, item: str, status: str) -> None:
    await ask(client)
    running.seen.items.add(item)
    answer = await ask(client)
    assert (answer["cached"], answer["bloom_filter_status"]) == (True, status)


async def test_without_redis_answers_are_the_same_and_say_so(client: httpx.AsyncClient, running: Bench) -> None:
    healthy = await ask(client)
    running.cache.away = running.seen.away = True
    answer = await ask(client)
    assert (answer["degraded"], answer["degraded_reasons"], answer["cached"]) == (True, ["cache_unavailable", "seen_index_unavailable"], False)
    assert answer["bloom_filter_status"] == "unknown"
    different = DIFFERS | {"degraded", "degraded_reasons", "bloom_filter_status"}
    assert {name: value for name, value in answer.items() if name not in different} == {k: v for k, v in healthy.items() if k not in different}


async def test_without_postgres_given_features_and_cached_videos_are_answered(client: httpx.AsyncClient, running: Bench) -> None:
    running.features.known[SPEC.name, "v9"] = StoredFeatures({"category_id": 10}, NOW)
    await ask(client, {"video_id": "v9"})
    running.features.away = True
    kept = await ask(client, {"video_id": "v9"})
    assert (kept["cached"], kept["degraded_reasons"], kept["features_as_of"]) == (True, ["features_unavailable"], "2025-07-25T00:00:00Z")
    assert (await ask(client))["degraded"] is False
    unknown = await client.post("/predict/video", json={"video_id": "v10"})
    assert (unknown.status_code, unknown.headers["retry-after"]) == (503, "1")


async def test_an_answer_without_the_channels_history_is_degraded_and_not_kept(client: httpx.AsyncClient, running: Bench) -> None:
    body = {"video_id": "a", "features": {"channel_id": "UC1"}}
    running.features.away = True
    assert (await ask(client, body))["degraded_reasons"] == ["features_unavailable"]
    running.features.away = False
    healthy = await ask(client, body)
    assert (healthy["cached"], healthy["degraded"]) == (False, False)


async def test_without_a_champion_the_answer_is_503_and_tells_what_to_do(bench: Bench) -> None:
    await bench.serving.start()
    async with bench.client() as client:
        answer = await client.post("/predict/video", json=BODY)
        ready = await client.get("/readyz")
    await bench.serving.stop()
    assert (answer.status_code, answer.json()["type"], answer.headers["retry-after"]) == (503, "urn:evergreen:problem:no-champion", "5")
    assert "evergreen models train" in answer.json()["detail"]
    assert (ready.status_code, ready.json()["models"]) == (200, {})


async def test_a_model_that_breaks_tells_nothing_of_itself(client: httpx.AsyncClient, running: Bench) -> None:
    broken = running.versions[1]
    assert isinstance(broken, Plain)
    broken.breaks = True
    answer = await client.post("/predict/video", json=BODY)
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:evergreen:problem:internal-error")
    assert not any(word in answer.text for word in ("SELECT", "/srv", "RuntimeError", "Traceback"))
    assert answer.headers["x-request-id"] == answer.json()["request_id"]


async def test_the_cache_holds_the_models_answer_and_nothing_of_the_request(client: httpx.AsyncClient, running: Bench) -> None:
    await ask(client)
    [(key, kept)] = running.cache.entries.items()
    assert key.startswith(f"prediction:{SPEC.name}:1:1:{'0' * 16}:0:v1:")
    assert not {"prediction_id", "cached", "processing_time", "bloom_filter_status"} & set(json.loads(kept.body))
