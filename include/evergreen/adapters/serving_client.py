"""The serving API as an application calls it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any

import httpx
import stamina

from evergreen.core.errors import EvergreenError, Unavailable
from evergreen.ports.app import Asked

_PARALLEL = 6


class _TryAgain(Exception):
    """503 with Retry-After, or a connection that a dying worker dropped."""


class ServingClient:
    """Guarantee: every request is answered or raised; a worker that dies mid-request costs a retry, not an answer
    (predictions are pure, feedback carries an idempotency key). Thread-safe."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=10, limits=httpx.Limits(max_connections=_PARALLEL))

    def __enter__(self) -> ServingClient:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._client.close()

    def ask(self, requests: Sequence[Mapping[str, Any]]) -> list[Asked | None]:
        with ThreadPoolExecutor(_PARALLEL) as pool:
            return list(pool.map(self._ask, requests))

    def tell(self, outcomes: Sequence[Mapping[str, Any]]) -> None:
        with ThreadPoolExecutor(_PARALLEL) as pool:
            list(pool.map(self._tell, outcomes))

    def _ask(self, request: Mapping[str, Any]) -> Asked | None:
        answer = self._post("/predict/video", request, {}, expected={200, 503})
        if answer.status_code == 503:
            return None
        body = answer.json()
        return Asked(entity=body["video_id"], prediction_id=body["prediction_id"], model_version=body["model_version"])

    def _tell(self, outcome: Mapping[str, Any]) -> None:
        self._post("/feedback", outcome, {"Idempotency-Key": f"feedback-{outcome['video_id']}"}, expected={202})

    def _post(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str], expected: set[int]) -> httpx.Response:
        try:
            for attempt in stamina.retry_context(on=_TryAgain, attempts=None, timeout=45, wait_initial=0.1, wait_max=2):
                with attempt:
                    answer = self._once(path, body, headers, expected)
        except _TryAgain as error:
            raise Unavailable(f"serving does not answer {path}: {error}; see `evergreen status` and `evergreen logs serving`") from error
        if answer.status_code not in expected:
            raise EvergreenError(f"serving refused {path} with {answer.status_code}: {answer.text[:300]}")
        return answer

    def _once(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str], expected: set[int]) -> httpx.Response:
        try:
            answer = self._client.post(path, json=dict(body), headers=dict(headers))
        except httpx.TransportError as error:
            raise _TryAgain(f"{type(error).__name__} {error}") from error
        if answer.status_code >= 500 and answer.status_code not in expected:
            raise _TryAgain(f"{answer.status_code} {answer.text[:200]}")
        return answer
