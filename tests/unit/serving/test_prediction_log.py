"""What is told to Kafka of each answer, and what is lost when Kafka is slow."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from evergreen.contracts.events import PredictionCompleted, PredictionRequest
from evergreen.contracts.topics import payload_of
from evergreen.ports.model import Rows
from evergreen.ports.serving import LoadedModel
from serving import prediction_log
from serving.shadow import shadow_predictions
from tests.support.serving_bench import NOW, SPEC, Bench, Plain

pytestmark = pytest.mark.anyio
BODY = {"video_id": "v1", "features": {"title": "여름", "category_id": 22, "view_count": 1000, "like_count": 50, "rank": 3}}


SLOW_SECONDS = 0.2


async def asked(client: httpx.AsyncClient, bench: Bench, times: int = 1) -> list[PredictionCompleted]:
    for _ in range(times):
        assert (await client.post("/predict/video", json=BODY)).status_code == 200
    await bench.until(lambda: len(bench.publisher.of_type("prediction_completed")) >= times)
    payloads = [payload_of(event) for event in bench.publisher.of_type("prediction_completed")]
    return [payload for payload in payloads if isinstance(payload, PredictionCompleted)]


async def test_an_answer_is_told_as_request_and_completion(client: httpx.AsyncClient, running: Bench) -> None:
    [told] = await asked(client, running)
    [request], [completed] = running.publisher.of_type("prediction_request"), running.publisher.of_type("prediction_completed")
    assert payload_of(request) == PredictionRequest(
        model_name=SPEC.name,
        entity="v1",
        features={name: value for name, value in BODY["features"].items() if name != "rank"},  # type: ignore[attr-defined]
    )
    assert (told.model_version, told.predicted, told.lower, told.upper, told.cached) == (f"{SPEC.name}@1", 1.0, 0.5, 1.5, False)
    assert (request.id, completed.extensions["correlationid"]) == (told.prediction_id, told.prediction_id)
    assert {event.source for event in (request, completed)} == {f"/serving/{SPEC.name}"}
    assert {(event.subject, event.time) for event in (request, completed)} == {("v1", NOW)}


async def test_the_features_told_are_those_any_version_can_be_asked_with(client: httpx.AsyncClient, running: Bench) -> None:
    [told] = await asked(client, running)
    assert told.features["title"] == "여름"
    assert told.features["title_length"] == 2.0
    assert told.features["like_view_ratio"] == 0.05
    assert not [name for name, value in told.features.items() if value is None]


async def test_a_cached_answer_is_told_too(client: httpx.AsyncClient, running: Bench) -> None:
    first, second = await asked(client, running, times=2)
    assert (first.cached, second.cached) == (False, True)
    assert first.features == second.features
    assert first.prediction_id != second.prediction_id


async def test_during_the_bake_the_shadows_word_stands_beside(client: httpx.AsyncClient, running: Bench) -> None:
    await running.deployed(2, shadow=True)
    told = (await asked(client, running, times=2))[-1]
    assert (told.predicted, told.shadow_version, told.shadow_predicted) == (2.0, f"{SPEC.name}@1", 1.0)


async def test_a_slow_shadow_holds_up_no_answer_and_its_word_stands_beside_all_the_same(
    client: httpx.AsyncClient, running: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    shadow, calls = running.versions[1], list[int]()
    assert isinstance(shadow, Plain)
    answer = shadow.answer

    def slow(requests: Sequence[Mapping[str, Any]], rows: Rows = None) -> list[dict[str, Any]]:
        calls.append(len(requests))
        time.sleep(SLOW_SECONDS)
        return answer(requests, rows)

    monkeypatch.setattr(shadow, "answer", slow)
    await running.deployed(2, shadow=True)
    await asked(client, running)  # found out to be slow
    longest, begun = 0.0, time.perf_counter()
    later = asyncio.create_task(asked(client, running, times=3))
    while not later.done():
        await asyncio.sleep(0.005)
        longest, begun = max(longest, time.perf_counter() - begun), time.perf_counter()
    assert longest < SLOW_SECONDS / 2
    assert [told.shadow_predicted for told in await later] == [1.0] * sum(calls)


async def test_a_shadow_that_says_nothing_usable_is_named_without_a_word(client: httpx.AsyncClient, running: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running.versions[1], "answer", lambda requests, rows=None: [{"prediction": None} for _ in requests])
    await running.deployed(2, shadow=True)
    told = (await asked(client, running, times=2))[-1]
    assert (told.predicted, told.shadow_version, told.shadow_predicted) == (2.0, f"{SPEC.name}@1", None)


async def test_where_shadows_cannot_be_asked_at_all_the_log_goes_on(client: httpx.AsyncClient, running: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await running.deployed(2, shadow=True)
    monkeypatch.setattr("serving.shadow.Shadows.words", lambda *_: 1 / 0)
    told = (await asked(client, running, times=2))[-1]
    assert (told.predicted, told.shadow_version, told.shadow_predicted) == (2.0, None, None)


async def test_where_records_wait_for_a_shadow_the_rest_is_told_without_it(client: httpx.AsyncClient, running: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await running.deployed(2, shadow=True)
    monkeypatch.setattr(prediction_log, "SHADOWED", 0)
    [told] = await asked(client, running)
    assert (told.predicted, told.shadow_version, told.shadow_predicted) == (2.0, None, None)


async def test_of_many_requests_only_those_a_shadow_cannot_answer_go_without_its_word() -> None:
    class Picky(Plain):
        def answer(self, requests: Sequence[Mapping[str, Any]], rows: Rows = None) -> list[dict[str, Any]]:
            if any(request["title"] == "odd" for request in requests):
                raise KeyError("odd")
            return [{"prediction": float("nan") if request["title"] == "empty" else 7.0} for request in requests]

    loaded = LoadedModel(SPEC, 7, Picky(7), "0" * 16, lambda matrix: matrix[:, 0])
    asked: list[tuple[LoadedModel | None, dict[str, Any]]] = [(loaded, {"title": title}) for title in ("a", "odd", "b", "empty")]
    assert shadow_predictions([*asked, (None, {})]) == [7.0, None, 7.0, None, None]
    assert shadow_predictions([asked[0], asked[3]]) == [7.0, None]


async def test_a_shadow_that_breaks_is_named_without_a_word(client: httpx.AsyncClient, running: Bench) -> None:
    await running.deployed(2, shadow=True)
    shadow = running.versions[1]
    assert isinstance(shadow, Plain)
    shadow.breaks = True
    told = (await asked(client, running))[-1]
    assert (told.predicted, told.shadow_version, told.shadow_predicted) == (2.0, f"{SPEC.name}@1", None)


async def test_a_full_buffer_drops_and_counts_and_answers_go_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path, max_log=3)
    bench.serving.listener.start()  # but not the log: nothing leaves the buffer
    await bench.serving.listener.settle(5)
    await bench.deployed(1)
    async with bench.client() as client:
        answers = await asyncio.gather(*(client.post("/predict/video", json=BODY) for _ in range(10)))
        metrics = (await client.get("/metrics")).text
    assert [answer.status_code for answer in answers] == [200] * 10
    assert "prediction_log_dropped_total 7.0" in metrics
    await bench.serving.stop()
    assert len(bench.publisher.of_type("prediction_completed")) == 3


async def test_what_is_buffered_is_sent_before_the_end(bench: Bench) -> None:
    await bench.serving.start()
    await bench.deployed(1)
    async with bench.client() as client:
        await client.post("/predict/video", json=BODY)
    await bench.serving.stop()
    assert len(bench.publisher.of_type("prediction_completed")) == 1


async def test_kafka_away_is_no_error_of_an_answer(client: httpx.AsyncClient, running: Bench) -> None:
    running.publisher.away = True
    assert (await client.post("/predict/video", json=BODY)).status_code == 200
