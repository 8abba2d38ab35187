"""What the hot route takes and refuses, compared with FastAPI and the contract's model."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from evergreen.contracts.api import PredictVideoRequest
from serving import errors
from serving.predict_video import _read

pytestmark = pytest.mark.anyio
ADDRESS = {"x-request-id": "r", "content-type": "application/json"}


@pytest.fixture
async def reference() -> httpx.AsyncClient:
    """The route as it was: FastAPI reads the body."""
    api = FastAPI()
    errors.install(api)

    @api.post("/predict/video")
    async def predict_video(asked: PredictVideoRequest) -> dict[str, Any]:
        return asked.model_dump()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["request_id"] = "r"
        await api(scope, receive, send)

    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://reference")


names = st.sampled_from(["title", "a", "A_1", "", "0a", "a b", "여름", "a\n", "a" * 65]) | st.text(max_size=3)
edges = [2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 10**400, 1.5, -0.0, 1e308, float("inf"), float("nan"), "", "\x00", "\ud800", "x" * 20_001, "x" * 20_000]
values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(edges) | st.lists(st.integers(), max_size=1)
ids = st.sampled_from(["v1", "dQw4w9WgXcQ", "", "a b", "v1\n", "x" * 65, "여름"]) | values
asked = st.fixed_dictionaries({"video_id": ids}, optional={"features": st.dictionaries(names, values, max_size=4) | values, "extra": values})
bodies = asked.map(lambda found: json.dumps(found).encode()) | st.binary(max_size=12) | values.map(lambda found: json.dumps(found).encode())


async def refused(client: httpx.AsyncClient, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
    answer = await client.post("/predict/video", content=body, headers=headers)
    return answer.status_code, answer.json() if answer.status_code >= 400 else None


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies)
@example(b'{"video_id":"a","video_id":5}')
@example(b'{"video_id":5,"video_id":"a"}')
@example(b'{"video_id":"a","features":{"x":1,"x":"\\u0000"}}')
@example(b'{"video_id":"a","features":{"x":1e999}}')
@example(b'{"video_id":"a","features":{"x":12345678901234567890123}}')
@example(b'\xef\xbb\xbf{"video_id":"a"}')
@example('{"video_id":"a"}'.encode("utf-16"))
@example(b"[" * 32)
@example(b'{"video_id":"a","features":{"x":-0}}')
async def test_the_hot_route_refuses_what_fastapi_refuses_with_the_same_words(client: httpx.AsyncClient, reference: httpx.AsyncClient, body: bytes) -> None:
    expected, found = await refused(reference, body, ADDRESS), await refused(client, body, ADDRESS)
    if expected[1] is not None:
        assert found == expected
    else:
        assert found[0] in (200, 404)


@settings(max_examples=300, deadline=None)
@given(bodies)
async def test_the_fast_reader_takes_only_what_the_contract_takes_and_reads_the_same(body: bytes) -> None:
    fast = _read(body)
    if fast is not None:
        slow = PredictVideoRequest.model_validate_json(body)
        assert (fast.video_id, repr(fast.features)) == (slow.video_id, repr(slow.features))


async def test_ordinary_questions_are_read_fast() -> None:
    for body in (
        b'{"video_id":"v1"}',
        b'{"video_id":"v1","features":null}',
        b'{"video_id":"v1","features":{"title":"x","view_count":3,"a":1.5,"b":true,"c":null}}',
    ):
        assert _read(body) is not None


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "application/problem+json", "application/json; charset=utf-8", ""])
async def test_other_media_types_are_taken_and_refused_alike(client: httpx.AsyncClient, reference: httpx.AsyncClient, media: str) -> None:
    headers = {"x-request-id": "r"} | ({"content-type": media} if media else {})
    body = b'{"video_id":"v1","features":{}}'
    assert await refused(client, body, headers) == await refused(reference, body, headers)


async def test_too_many_features_are_refused_alike(client: httpx.AsyncClient, reference: httpx.AsyncClient) -> None:
    body = json.dumps({"video_id": "v1", "features": {f"f{number}": number for number in range(201)}}).encode()
    assert await refused(client, body, ADDRESS) == await refused(reference, body, ADDRESS)


async def test_an_empty_body_is_refused_alike(client: httpx.AsyncClient, reference: httpx.AsyncClient) -> None:
    assert await refused(client, b"", ADDRESS) == await refused(reference, b"", ADDRESS)
