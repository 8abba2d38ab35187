"""From a signed folder to a version that may answer, with the real video model."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from evergreen.adapters.memory.registry import MemoryRegistry
from evergreen.contracts.api import PredictVideoRequest, VideoPrediction
from evergreen.core.errors import ArtifactRefused, NotFound
from evergreen.domains.videos.features import build_features
from evergreen.domains.videos.simulator import simulate
from evergreen.ports.registry import NewVersion
from evergreen.ports.serving import LoadedModel
from serving.loader import VersionLoader, compare, schema_hash
from tests.support.serving_bench import SPEC, Bench


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """As in a worker (OMP_NUM_THREADS=1): on a busy machine the trees' threads wait for each other longer than they work."""
    import sklearn.ensemble  # noqa: F401 - only a library that is loaded can be limited

    with threadpool_limits(limits=1):
        yield


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return build_features(simulate(date(2025, 4, 1), date(2025, 5, 31), 3), "KR")


@pytest.fixture(scope="module")
def registry(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> MemoryRegistry:
    found = MemoryRegistry(tmp_path_factory.mktemp("registry"))
    found.register(NewVersion("a", SPEC, SPEC.fit(table, 0), table, {}, {}, {}, {}))
    return found


@pytest.fixture(scope="module")
def loaded(registry: MemoryRegistry) -> LoadedModel:
    return VersionLoader(registry, {SPEC.name: SPEC}).load(SPEC.name, 1)


def test_a_verified_version_answers_as_it_did_after_training(loaded: LoadedModel, registry: MemoryRegistry) -> None:
    found = registry.load(SPEC, 1)
    assert found.golden is not None
    for row, predicted in list(zip(found.golden.rows, found.golden.predicted, strict=True))[:20]:
        [answer] = loaded.answering.answer([dict(zip(found.golden.columns, row, strict=True))])
        assert answer["prediction"] == pytest.approx(predicted, abs=1e-9)
    assert loaded.name == f"{SPEC.name}@1"


def test_a_copy_that_differs_from_its_training_is_refused(registry: MemoryRegistry) -> None:
    found = registry.compiled(SPEC, 1)
    golden = found.golden
    assert golden is not None
    compare(found.score, golden, SPEC, "x@1")
    for predicted in ([*golden.predicted[:-1], golden.predicted[-1] + 1e-6], [math.nan] * len(golden.predicted)):
        with pytest.raises(ArtifactRefused, match="golden rows"):
            compare(found.score, replace(golden, predicted=predicted), SPEC, "x@1")
    with pytest.raises(ArtifactRefused, match="other features"):
        compare(found.score, replace(golden, columns=list(reversed(golden.columns))), SPEC, "x@1")


def test_a_version_without_a_compiled_form_is_answered_by_its_pipeline(registry: MemoryRegistry, loaded: LoadedModel) -> None:
    slow = VersionLoader(registry, {SPEC.name: replace(SPEC, answers=None)}).load(SPEC.name, 1)
    requests: list[dict[str, Any]] = [{}, {"category_id": 22, "title": "여름", "hour": 3}, {"view_count": 10, "like_count": 3, "channel_videos": 7}]
    for ours, theirs in zip(loaded.answering.answer(requests), slow.answering.answer(requests), strict=True):
        numbers = ("prediction", "prediction_lower", "prediction_upper")
        assert [ours[name] for name in numbers] == pytest.approx([theirs[name] for name in numbers], abs=1e-9)
        assert {**ours, **dict.fromkeys(numbers, 0.0)} == {**theirs, **dict.fromkeys(numbers, 0.0)}
    golden = registry.compiled(SPEC, 1).golden
    assert golden is not None
    rows = np.array([[math.nan if value is None else value for value in row] for row in golden.rows])
    np.testing.assert_allclose(loaded.score(rows), slow.score(rows), atol=1e-9)
    assert loaded.schema_hash == slow.schema_hash


def test_a_spoiled_version_is_refused(table: pd.DataFrame, tmp_path: Path) -> None:
    registry = MemoryRegistry(tmp_path)
    registry.register(NewVersion("a", SPEC, SPEC.fit(table.head(200), 0), table.head(200), {}, {}, {}, {}))
    registry.spoil(SPEC.name, 1)
    with pytest.raises(ArtifactRefused):
        VersionLoader(registry, {SPEC.name: SPEC}).load(SPEC.name, 1)
    with pytest.raises(NotFound):
        VersionLoader(registry, {SPEC.name: SPEC}).load(SPEC.name, 2)


def test_another_feature_schema_is_another_cache_key(registry: MemoryRegistry) -> None:
    card = registry.load(SPEC, 1).card
    assert schema_hash(SPEC, card) != schema_hash(replace(SPEC, feature_names=SPEC.feature_names[1:]), card)
    assert schema_hash(SPEC, card) != schema_hash(SPEC, {**card, "features": {}})


VALUES = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12)
DATES = st.sampled_from(["2025-07-25", "2025-07-24T09:00:00Z", "0001-01-01", "9999-12-31T23:59:59+14:00", "yesterday", "2025-13-45"])
NAMES = st.sampled_from([*SPEC.feature_names, *SPEC.request_facts])


@settings(max_examples=100, deadline=None)
@given(features=st.dictionaries(NAMES, VALUES | DATES, max_size=12))
def test_the_real_model_answers_whatever_the_contract_lets_through(loaded: LoadedModel, features: dict[str, Any]) -> None:
    try:
        request = PredictVideoRequest(video_id="v", features=features)
    except ValueError:
        return
    given_features = {name: value for name, value in (request.features or {}).items() if value is not None}
    [answer] = loaded.answering.answer([given_features])
    body = json.loads(json.dumps(answer, allow_nan=False))
    assert math.isfinite(body["prediction"])
    row = SPEC.request_row(given_features) if SPEC.request_row else {}
    assert all(math.isfinite(value) for value in row.values())
    assert VideoPrediction.model_validate({**_envelope(), **body})


def _envelope() -> dict[str, Any]:
    return {
        "video_id": "v",
        "prediction_id": "p",
        "model_version": "x@1",
        "epoch": 1,
        "features_ignored": [],
        "features_as_of": None,
        "bloom_filter_status": "unknown",
        "cached": False,
        "degraded": False,
        "degraded_reasons": [],
        "processing_time": 0.0,
    }


def test_the_whole_way_from_a_folder_to_an_answer(bench: Bench, registry: MemoryRegistry, loaded: LoadedModel) -> None:
    async def ask() -> dict[str, Any]:
        bench.versions[1] = loaded.answering
        await bench.serving.start()
        await bench.deployed(1)
        async with bench.client() as client:
            known = {"title": "여름 브이로그", "category_id": 22, "published_at": "2025-07-24T09:00:00Z", "list_date": "2025-07-25"}
            answer = await client.post("/predict/video", json={"video_id": "v", "features": known})
        await bench.serving.stop()
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found

    answer = asyncio.run(ask())
    assert VideoPrediction.model_validate(answer)
    assert {"hour", "day_of_week", "is_weekend", "age_hours"} <= set(answer["features_used"])
    assert "channel_videos" in answer["features_imputed"]
