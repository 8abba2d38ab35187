"""`POST /predict/video` asked again: what is kept where, for how long, and what makes it old."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evergreen.core.generations import FEATURES
from evergreen.ports.serving import StoredFeatures
from tests.support.serving_bench import NOW, SPEC, Bench, Plain

pytestmark = pytest.mark.anyio
BODY = {"video_id": "v1", "features": {"title": "여름", "category_id": 22}}
DIFFERS = {"cached", "processing_time", "prediction_id"}


@pytest.fixture
def keeping(running: Bench) -> Bench:
    """Its cache and its feature store say how long things may be kept, so repeated questions are answered without being read."""
    running.cache.seconds = 300.0
    return running


async def ask(client: httpx.AsyncClient, body: Any = None) -> dict[str, Any]:
    answer = await client.post("/predict/video", json=BODY if body is None else body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def stored(bench: Bench, entity: str = "v9", seconds: float = 600.0, **features: Any) -> None:
    bench.features.known[SPEC.name, entity] = StoredFeatures(features, NOW, seconds)


async def test_a_repeated_question_needs_neither_cache_nor_feature_store(client: httpx.AsyncClient, keeping: Bench) -> None:
    stored(keeping, view_count=77, channel_id="UC1")
    stored(keeping, "channel:UC1", channel_videos=7.0)
    first = await ask(client, {"video_id": "v9"})
    asked = keeping.features.asked
    keeping.cache.away = keeping.features.away = True
    second = await ask(client, {"video_id": "v9"})
    assert (keeping.features.asked, second["cached"], second["degraded"]) == (asked, True, False)
    assert {name: value for name, value in first.items() if name not in DIFFERS} == {name: value for name, value in second.items() if name not in DIFFERS}


async def test_new_features_are_heard_of_by_their_generation(client: httpx.AsyncClient, keeping: Bench) -> None:
    stored(keeping, view_count=77)
    await ask(client, {"video_id": "v9"})
    stored(keeping, view_count=88)
    keeping.fleet.bump(FEATURES)
    await keeping.until(lambda: keeping.generations.of(FEATURES) == 1)
    answer = await ask(client, {"video_id": "v9"})
    assert (answer["view_count"], answer["cached"]) == (88, False)


async def test_what_the_store_does_not_let_keep_is_looked_up_each_time(client: httpx.AsyncClient, keeping: Bench) -> None:
    stored(keeping, seconds=0.0, view_count=77)
    await ask(client, {"video_id": "v9"})
    stored(keeping, seconds=0.0, view_count=88)
    assert (await ask(client, {"video_id": "v9"}))["view_count"] == 88


async def test_a_promotion_and_a_return_make_repeated_questions_new(client: httpx.AsyncClient, keeping: Bench) -> None:
    await ask(client)
    for version, epoch in ((2, 2), (1, 3)):
        await keeping.deployed(version)
        answer = await ask(client)
        assert (answer["model_version"], answer["epoch"], answer["cached"]) == (f"{SPEC.name}@{version}", epoch, False)


async def test_degraded_answers_are_not_kept_as_whole_ones(client: httpx.AsyncClient, keeping: Bench) -> None:
    body = {"video_id": "a", "features": {"channel_id": "UC1"}}
    keeping.features.away = True
    assert (await ask(client, body))["degraded"] is True
    keeping.features.away = False
    assert (await ask(client, body))["degraded"] is False


async def test_the_seen_index_and_the_age_of_features_are_looked_at_each_time(client: httpx.AsyncClient, keeping: Bench) -> None:
    keeping.features.known[SPEC.name, "v9"] = StoredFeatures({"view_count": 7}, NOW - SPEC.stale_after + timedelta(seconds=1), 600.0)
    first = await ask(client, {"video_id": "v9"})
    keeping.seen.items.add("v9")
    assert keeping.fleet.clock is not None
    later = NOW + timedelta(seconds=2)
    keeping.fleet.clock = type(keeping.fleet.clock)("replay", later, later, 0.0, 2)
    keeping.fleet.heard()
    await keeping.until(lambda: keeping.clock.now() == later)
    second = await ask(client, {"video_id": "v9"})
    assert (first["bloom_filter_status"], second["bloom_filter_status"]) == ("not seen in the last 7 days", "probably seen in the last 7 days")
    assert (first["degraded_reasons"], second["degraded_reasons"], second["cached"]) == ([], ["features_stale"], True)


async def test_questions_at_the_same_time_are_computed_once(client: httpx.AsyncClient, keeping: Bench) -> None:
    model = keeping.versions[1]
    assert isinstance(model, Plain)
    held, get = asyncio.Event(), keeping.cache.get

    async def slow(key: str, version: str) -> Any:
        await held.wait()
        return await get(key, version)

    keeping.cache.get = slow  # type: ignore[method-assign]
    asked = [asyncio.create_task(ask(client)) for _ in range(8)]
    await asyncio.sleep(0.05)
    held.set()
    answers = await asyncio.gather(*asked)
    assert len(model.asked) == 1
    assert len({answer["prediction_id"] for answer in answers}) == 8
    assert len({json.dumps({k: v for k, v in answer.items() if k not in DIFFERS}, sort_keys=True) for answer in answers}) == 1


async def test_a_model_that_breaks_answers_with_what_it_said_before_and_says_so(client: httpx.AsyncClient, running: Bench) -> None:
    healthy = await ask(client)
    running.cache.end()
    broken = running.versions[1]
    assert isinstance(broken, Plain)
    broken.breaks = True
    answer = await ask(client)
    assert (answer["degraded_reasons"], answer["cached"], answer["prediction"]) == (["model_failed"], True, healthy["prediction"])
    broken.breaks = False
    assert (await ask(client))["degraded"] is False


async def test_of_another_epoch_nothing_old_is_said(client: httpx.AsyncClient, running: Bench) -> None:
    running.features.known[SPEC.name, "v9"] = StoredFeatures({"view_count": 7}, NOW)
    await ask(client)
    await ask(client, {"video_id": "v9"})
    running.cache.end()
    await running.deployed(2)
    broken = running.versions[2]
    assert isinstance(broken, Plain)
    broken.breaks = running.features.away = True
    assert (await client.post("/predict/video", json=BODY)).status_code == 500
    assert (await client.post("/predict/video", json={"video_id": "v9"})).status_code == 503


async def test_without_postgres_an_answer_whose_time_is_over_is_better_than_none(client: httpx.AsyncClient, running: Bench) -> None:
    running.features.known[SPEC.name, "v9"] = StoredFeatures({"view_count": 7}, NOW)
    await ask(client, {"video_id": "v9"})
    running.cache.end()
    running.features.away = running.cache.away = True
    answer = await ask(client, {"video_id": "v9"})
    assert (answer["view_count"], answer["cached"], answer["degraded"]) == (7, True, True)
    assert set(answer["degraded_reasons"]) >= {"features_unavailable", "cache_unavailable"}


async def test_an_operator_clears_a_models_answers(client: httpx.AsyncClient, keeping: Bench) -> None:
    await ask(client)
    assert (await ask(client))["cached"] is True
    cleared = await client.delete("/cache", params={"model": SPEC.name})
    assert (cleared.status_code, cleared.json()) == (200, {"model": SPEC.name, "generation": 1})
    assert (await ask(client))["cached"] is False
    assert (await ask(client))["cached"] is True


@pytest.mark.parametrize(("query", "status"), [({"model": "nobody"}, 404), ({}, 422), ({"model": "*"}, 422)])
async def test_only_a_model_there_is_can_be_cleared(client: httpx.AsyncClient, query: dict[str, str], status: int) -> None:
    assert (await client.delete("/cache", params=query)).status_code == status


async def test_clearing_needs_postgres(client: httpx.AsyncClient, running: Bench) -> None:
    running.raised.away = True
    answer = await client.delete("/cache", params={"model": SPEC.name})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


features = st.dictionaries(
    st.sampled_from(["title", "category_id", "view_count", "channel_id", "channel_videos", "duration", "rank", "nonsense"]),
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(-1e9, 1e9) | st.text(max_size=8).filter(lambda text: "\x00" not in text),
    max_size=6,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["v1", "v2", "v9"]), st.none() | features), min_size=1, max_size=6))
async def test_with_and_without_cache_answers_are_the_same(client: httpx.AsyncClient, running: Bench, questions: list[tuple[str, Any]]) -> None:
    for entity in ("v1", "v2", "v9"):
        stored(running, entity, view_count=len(entity), channel_id="UC1")

    async def all_of(seconds: float) -> list[dict[str, Any]]:
        running.cache.seconds = seconds
        answers = []
        for entity, given_features in [*questions, *questions]:
            if seconds < 0:
                running.cache.entries.clear()
            answers.append(await ask(client, {"video_id": entity, "features": given_features}))
        return [{name: value for name, value in answer.items() if name not in DIFFERS} for answer in answers]

    assert await all_of(-1.0) == await all_of(0.0) == await all_of(300.0)
