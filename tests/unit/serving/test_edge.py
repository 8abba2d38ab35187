"""Errors, limits, headers, probes and metrics: what holds for every route."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evergreen.contracts.actions import ActionKind
from evergreen.contracts.api import Problem
from evergreen.contracts.api_records import DecisionFilter, EventFilter
from serving.bodies import MAX_BODY_BYTES
from serving.problems import MEDIA_TYPE
from tests.support.serving_bench import Bench

pytestmark = pytest.mark.anyio
NINES = b'{"video_id": "a", "features": {"x": %b}}'
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def problem_of(answer: httpx.Response) -> Problem:
    assert answer.headers["content-type"] == MEDIA_TYPE
    found = Problem.model_validate(answer.json())
    assert (found.status, found.request_id) == (answer.status_code, answer.headers["x-request-id"])
    return found


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "slug"),
    [
        pytest.param("GET", "/nowhere", None, 404, "not-found", id="no-such-path"),
        pytest.param("GET", "/predict/video", None, 405, "method-not-allowed", id="no-such-method"),
        pytest.param("POST", "/predict/video", b"{", 400, "malformed-body", id="half-an-object"),
        pytest.param("POST", "/predict/video", b"\xff\xfe", 400, "", id="not-utf-8"),
        pytest.param("POST", "/predict/video", b"[" * 100_000, 400, "", id="too-deep"),
        pytest.param("POST", "/predict/video", b"", 422, "invalid-request", id="nothing"),
        pytest.param("POST", "/predict/video", b"[]", 422, "invalid-request", id="a-list"),
        pytest.param("POST", "/predict/video", b'{"video_id": 3}', 422, "invalid-request", id="a-number-as-id"),
        pytest.param("POST", "/predict/video", b'{"video_id": "a", "features": {"x": NaN}}', 422, "invalid-request", id="nan"),
        pytest.param("POST", "/predict/video", b'{"video_id": "a", "features": {"x": 1e999}}', 422, "invalid-request", id="infinity"),
        pytest.param("POST", "/predict/video", b'{"video_id": "a", "features": {"x": "\\ud800"}}', 422, "invalid-request", id="half-a-surrogate"),
        pytest.param("POST", "/predict/video", b'{"video_id": "\\ud800"}', 422, "invalid-request", id="half-a-surrogate-as-id"),
        pytest.param("POST", "/predict/video", b'{"video_id": "a", "features": {"x": {"y": 1}}}', 422, "invalid-request", id="nested"),
        pytest.param("POST", "/predict/video", NINES % (b"9" * 5000), 400, "", id="a-number-without-end"),
        pytest.param("POST", "/predict/video", NINES % (b"9" * 400), 422, "invalid-request", id="a-number-beyond-all-floats"),
        pytest.param("POST", "/predict/video", b'{"video_id": "a", "who": 1}', 422, "invalid-request", id="extra"),
        pytest.param("GET", "/models/Nobody/history", None, 422, "invalid-request", id="no-model-name"),
        pytest.param("GET", "/models/nobody/history", None, 404, "not-found", id="no-such-model"),
        pytest.param("GET", "/decisions?limit=1000", None, 422, "invalid-request", id="too-long-a-page"),
        pytest.param("GET", "/actions/1/explain", None, 422, "invalid-request", id="no-uuid"),
        pytest.param("GET", "/actions/0198b0a0-0000-7000-8000-000000000000/explain", None, 404, "not-found", id="no-such-action"),
        pytest.param("GET", "/actions?kind=repaint", None, 422, "invalid-request", id="no-such-kind"),
        pytest.param("GET", "/actions?status=lost", None, 422, "invalid-request", id="no-such-status"),
        pytest.param("GET", "/events?limit=101", None, 422, "invalid-request", id="more-events-than-a-page-holds"),
        pytest.param("GET", "/events?limit=0", None, 422, "invalid-request", id="an-empty-page"),
        pytest.param("GET", "/events?since=2025-08-06T03:00:00", None, 422, "invalid-request", id="a-time-without-zone"),
        pytest.param("GET", "/events?since=yesterday", None, 422, "invalid-request", id="a-time-in-words"),
        pytest.param("GET", "/events?type=Drift!", None, 422, "invalid-request", id="no-type"),
        pytest.param("GET", "/events?subject=%00", None, 422, "invalid-request", id="a-nul"),
        pytest.param("GET", "/events?typ=data_processed", None, 422, "invalid-request", id="a-mistyped-filter"),
        pytest.param("GET", "/events/e1", None, 404, "not-found", id="no-such-event"),
        pytest.param("GET", "/events/e%201", None, 422, "invalid-request", id="no-event-id"),
        pytest.param("GET", "/events/e1/explain", None, 404, "not-found", id="no-event-to-explain"),
        pytest.param("GET", "/decisions?severity=extreme", None, 422, "invalid-request", id="no-severity"),
        pytest.param("GET", "/decisions?action=repaint", None, 422, "invalid-request", id="no-action"),
        pytest.param("GET", "/decisions/video_performance/0", None, 422, "invalid-request", id="no-seq"),
        pytest.param("GET", "/decisions/-/7", None, 404, "not-found", id="no-such-decision"),
    ],
)
async def test_every_error_is_a_problem_of_a_stable_type(client: httpx.AsyncClient, method: str, path: str, body: Any, status: int, slug: str) -> None:
    answer = await client.request(method, path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status
    assert problem_of(answer).type.startswith(f"urn:evergreen:problem:{slug}")


async def test_filters_arrive_as_they_were_meant(client: httpx.AsyncClient, running: Bench) -> None:
    await client.get("/events", params={"type": "data_processed", "subject": "videos.KR", "until": "2025-08-06T12:00:00+09:00", "limit": 100})
    first = running.records.wanted
    assert first == EventFilter(type="data_processed", subject="videos.KR", until=datetime(2025, 8, 6, 3, tzinfo=UTC), limit=100)
    await client.get("/decisions", params={"model": "-", "action": "retrain", "outcome": "suppressed"})
    assert running.records.wanted == DecisionFilter(model="-", action=ActionKind.RETRAIN, outcome="suppressed")


async def test_a_fault_names_its_field(client: httpx.AsyncClient) -> None:
    answer = await client.post("/predict/video", json={"video_id": "a", "features": {"title": "x" * 20_001}})
    assert next(fault.field for fault in problem_of(answer).errors or []).startswith("features.title")
    assert "xxxx" not in answer.text


async def test_an_announced_body_that_is_too_large_is_told_so(client: httpx.AsyncClient) -> None:
    answer = await client.post("/predict/video", content=b"x" * (MAX_BODY_BYTES + 1), headers={"content-type": "application/json"})
    assert (answer.status_code, problem_of(answer).type) == (413, "urn:evergreen:problem:body-too-large")


async def test_an_unannounced_body_ends_at_the_limit_too(client: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 65_536

    answer = await client.post("/predict/video", content=endless(), headers={"content-type": "application/json"})
    assert (answer.status_code, problem_of(answer).type) == (413, "urn:evergreen:problem:body-too-large")


async def test_a_request_keeps_its_names(client: httpx.AsyncClient, running: Bench) -> None:
    answer = await client.post("/predict/video", json={"video_id": "a", "features": {}}, headers={"x-request-id": "mine-1", "traceparent": TRACE})
    assert (answer.headers["x-request-id"], answer.headers["traceparent"]) == ("mine-1", TRACE)
    await running.until(lambda: running.publisher.of_type("prediction_completed"))
    assert running.publisher.of_type("prediction_completed")[0].extensions["traceparent"] == TRACE


@pytest.mark.parametrize("given_name", ["", "a b", "x" * 129, "a\tb", "ü"])
@pytest.mark.parametrize("trace", ["", "00-0-0-01", TRACE.upper(), TRACE.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32), f"ff{TRACE[2:]}"])
async def test_what_is_no_name_is_replaced(client: httpx.AsyncClient, given_name: str, trace: str) -> None:
    answer = await client.get("/livez", headers=[(b"x-request-id", given_name.encode("latin-1")), (b"traceparent", trace.encode())])
    assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["x-request-id"])
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", answer.headers["traceparent"])


async def test_a_part_that_is_away_is_503(client: httpx.AsyncClient, running: Bench) -> None:
    running.records.away = True
    answer = await client.get("/models")
    assert (answer.status_code, problem_of(answer).type, answer.headers["retry-after"]) == (503, "urn:evergreen:problem:unavailable", "1")


async def test_while_draining_it_is_not_ready_and_closes_connections(client: httpx.AsyncClient, running: Bench) -> None:
    assert "connection" not in (await client.get("/livez")).headers
    await running.serving.drain()
    ready, alive = await client.get("/readyz"), await client.get("/livez")
    assert (ready.status_code, alive.status_code, alive.headers["connection"]) == (503, 200, "close")
    assert running.fleet.beats[-1].state == "draining"


async def test_metrics_count_by_route_template_and_never_by_path(client: httpx.AsyncClient, running: Bench) -> None:
    for path in ("/models/a/history", "/models/b/history", "/x/1", "/x/2"):
        await client.get(path)
    await client.post("/predict/video", json={"video_id": "a", "features": {}})
    text = (await client.get("/metrics")).text
    assert 'api_requests_total{endpoint="/models/{model}/history",method="GET",status="404"} 2.0' in text
    assert 'api_requests_total{endpoint="other",method="GET",status="404"} 2.0' in text
    assert f'predictions_total{{model_name="{running.serving.video_model}",version="1"}} 1.0' in text
    assert "model_swap_seconds_count" in text
    assert "cache_hit_ratio 0.0" in text


async def test_the_document_names_the_api_and_shows_its_problems(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    assert document["info"]["title"] == "Video Social Analytics API"
    assert set(document["paths"]["/predict/video"]["post"]["responses"]["503"]["content"]) == {MEDIA_TYPE}
    assert (await client.get("/docs")).status_code == 200


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3), max_leaves=5)
NAMES = st.sampled_from(["title", "category_id", "view_count", "published_at", "list_date", "is_live", "duration", "channel_id", "hour"]) | st.text(max_size=6)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.fixed_dictionaries({"video_id": st.text(max_size=5) | st.just("v1")}, optional={"features": st.dictionaries(NAMES, JSON, max_size=4) | JSON}))
def test_no_body_breaks_it(bench: Bench, body: dict[str, Any]) -> None:
    async def ask() -> httpx.Response:
        bench_here = Bench(bench.memory._path.parent)
        await bench_here.serving.start()
        await bench_here.deployed(1)
        async with bench_here.client() as client:
            answer = await client.post("/predict/video", content=_json(body), headers={"content-type": "application/json"})
        await bench_here.serving.stop()
        return answer

    answer = asyncio.run(ask())
    assert answer.status_code in {200, 404, 422}
    if answer.status_code != 200:
        problem_of(answer)


def _json(body: Any) -> bytes:
    import json

    return json.dumps(body).encode()
