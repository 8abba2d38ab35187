"""A canary in a worker: its share of the entities, the champion where it cannot answer, counts, and its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from evergreen.core.canary import CanaryTally, is_asked
from evergreen.ports.model import Rows
from evergreen.ports.serving import Champion
from tests.support.serving_bench import NOW, SPEC, Bench, Plain

pytestmark = pytest.mark.anyio
MODEL, SHARE = SPEC.name, 0.3
ENTITIES = [f"v{number}" for number in range(60)]
THEIRS = [entity for entity in ENTITIES if is_asked(f"{MODEL}@2", entity, SHARE)]
GIVEN = {"title": "a", "category_id": 22, "published_at": "2025-05-24T09:00:00Z", "list_date": "2025-05-25", "channel_videos": 2, "view_count": 100}


class Odd(Plain):
    """Answers as a test says."""

    said: Callable[[dict[str, Any]], dict[str, Any]] = staticmethod(lambda answer: answer)

    def answer(self, requests: Sequence[Mapping[str, Any]], rows: Rows = None) -> list[dict[str, Any]]:
        return [self.said(answer) for answer in super().answer(requests, rows)]


def raises(answer: dict[str, Any]) -> dict[str, Any]:
    raise RuntimeError("SELECT secret")


def no_number(answer: dict[str, Any]) -> dict[str, Any]:
    return {**answer, "prediction": float("nan")}


def slow(answer: dict[str, Any]) -> dict[str, Any]:
    time.sleep(0.12)
    return answer


async def canary(bench: Bench, said: Callable[[dict[str, Any]], dict[str, Any]] | None = None) -> UUID:
    """Version 2 answers its share."""
    deployment, odd = uuid4(), Odd(2)
    if said is not None:
        odd.said = said
    bench.versions[2] = odd
    bench.fleet.prepare(deployment, MODEL, 2)
    await bench.until(lambda: ("prepared", deployment, "") in bench.fleet.acks)
    bench.fleet.begin_canary(deployment, SHARE)
    await bench.until(lambda: (champion := bench.slots.current(MODEL)) is not None and champion.canary is not None)
    return deployment


async def ask(client: httpx.AsyncClient, entity: str) -> dict[str, Any]:
    answer = await client.post("/predict/video", json={"video_id": entity, "features": GIVEN})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def versions(client: httpx.AsyncClient) -> dict[str, str]:
    return {entity: (await ask(client, entity))["model_version"] for entity in ENTITIES}


async def test_its_share_is_answered_by_it_again_and_again_and_every_answer_names_its_version(running: Bench, client: httpx.AsyncClient) -> None:
    before = await versions(client)  # kept answers of the champion must not outlive the beginning
    await canary(running)
    assert THEIRS
    for _ in range(3):
        for entity in ENTITIES:
            answer = await ask(client, entity)
            theirs = entity in THEIRS
            assert (answer["model_version"], answer["prediction"], answer["epoch"]) == (f"{MODEL}@{2 if theirs else 1}", 2.0 if theirs else 1.0, 1)
    assert set(before.values()) == {f"{MODEL}@1"}


async def test_without_one_nobody_asks_whose_an_entity_is(running: Bench, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Champion, "of", lambda *_: pytest.fail("asked"))
    monkeypatch.setattr("serving.prediction_log._object", lambda _: pytest.fail("read for no shadow"))
    for _ in range(2):
        assert set((await versions(client)).values()) == {f"{MODEL}@1"}
    await running.until(lambda: len(running.publisher.of_type("prediction_completed")) == 2 * len(ENTITIES))


async def test_when_it_is_cancelled_nobody_sees_it_any_more(running: Bench, client: httpx.AsyncClient) -> None:
    deployment = await canary(running)
    assert set((await versions(client)).values()) == {f"{MODEL}@1", f"{MODEL}@2"}
    running.fleet.close(deployment)
    await running.until(lambda: (champion := running.slots.current(MODEL)) is not None and champion.canary is None)
    assert set((await versions(client)).values()) == {f"{MODEL}@1"}


async def test_when_it_takes_over_everybody_does(running: Bench, client: httpx.AsyncClient) -> None:
    deployment = await canary(running)
    running.fleet.flip(deployment)
    await running.until(lambda: ("serving", deployment, "") in running.fleet.acks)
    assert set((await versions(client)).values()) == {f"{MODEL}@2"}
    champion = running.slots.current(MODEL)
    assert champion is not None
    assert (champion.canary, champion.loaded.answering) == (None, running.versions[2])


@pytest.mark.parametrize("said", [pytest.param(raises, id="raises"), pytest.param(no_number, id="no-number")])
async def test_where_it_cannot_answer_the_champion_does_and_it_is_counted(
    running: Bench, client: httpx.AsyncClient, said: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    deployment = await canary(running, said)
    assert set((await versions(client)).values()) == {f"{MODEL}@1"}
    await running.until(lambda: running.fleet.tallies.get(deployment) == CanaryTally(len(THEIRS), len(THEIRS), 0))
    assert f'canary_failures_total{{model_name="{MODEL}",version="2"}} {len(THEIRS)}.0' in running.metrics.render().decode()


async def test_a_slow_one_is_counted_and_holds_up_nobody_else(running: Bench, client: httpx.AsyncClient) -> None:
    deployment = await canary(running, slow)
    waiting = asyncio.create_task(ask(client, THEIRS[0]))
    await asyncio.sleep(0.02)
    begun = time.perf_counter()
    await ask(client, next(entity for entity in ENTITIES if entity not in THEIRS))
    assert time.perf_counter() - begun < 0.08
    assert (await waiting)["model_version"] == f"{MODEL}@2"
    await running.until(lambda: running.fleet.tallies.get(deployment) == CanaryTally(1, 0, 1))


async def test_batches_and_scoring_stay_with_the_champion(running: Bench, client: httpx.AsyncClient) -> None:
    await canary(running)
    answer = await client.post("/predict/batch", json={"items": [{"video_id": entity, "features": GIVEN} for entity in THEIRS]})
    assert answer.status_code == 200, answer.text
    assert answer.json()["model_version"] == f"{MODEL}@1"


async def test_a_canary_without_stored_features_leaves_the_champions_last_word(running: Bench, client: httpx.AsyncClient) -> None:
    from evergreen.ports.serving import StoredFeatures

    entity = THEIRS[0]
    running.features.known[MODEL, entity] = StoredFeatures(GIVEN, NOW)
    asked = {"video_id": entity}
    assert (await client.post("/predict/video", json=asked)).json()["model_version"] == f"{MODEL}@1"
    await canary(running)
    running.features.away = True
    answer = (await client.post("/predict/video", json=asked)).json()
    assert (answer["model_version"], answer["degraded_reasons"]) == (f"{MODEL}@1", ["features_unavailable"])
