"""The serving API as an application calls it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import httpx
import stamina
import structlog

from evergreen.core.errors import EvergreenError, Unavailable
from evergreen.ports.app import Asked

PARALLEL = 6
UNFIT = 422
_SHOWN = 300
log = structlog.get_logger(__name__)


class _TryAgain(Exception):
    """503 or 429 with Retry-After, or a connection that a dying worker dropped."""


@dataclass(frozen=True)
class _Unfit:
    """A request that serving would not take, with its reason."""

    entity: str
    reason: str


class ServingClient:
    """Guarantee: every request is answered or raised; a worker that dies mid-request costs a retry, not an answer
    (predictions are pure, feedback carries an idempotency key). Thread-safe. Failure: serving finds one request unfit (422).
    Remedy: that one counts as not asked or not told and is logged with serving's reason; the others go on."""

    def __init__(self, url: str, token: Callable[[], str], transport: httpx.BaseTransport | None = None) -> None:
        """`token`: one that counts now; asked before every request."""
        self._token = token
        self._client = httpx.Client(base_url=url, timeout=10, limits=httpx.Limits(max_connections=PARALLEL), transport=transport)

    def __enter__(self) -> ServingClient:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._client.close()

    def ask(self, requests: Sequence[Mapping[str, Any]]) -> list[Asked | None]:
        with ThreadPoolExecutor(PARALLEL) as pool:
            answers = list(pool.map(self._ask, requests))
        _say_unfit("/predict/video", answers)
        return [answer if isinstance(answer, Asked) else None for answer in answers]

    def tell(self, outcomes: Sequence[Mapping[str, Any]]) -> None:
        with ThreadPoolExecutor(PARALLEL) as pool:
            _say_unfit("/feedback", list(pool.map(self._tell, outcomes)))

    def _ask(self, request: Mapping[str, Any]) -> Asked | _Unfit | None:
        answer = self.post("/predict/video", request, {}, expected={200, 503, UNFIT})
        if answer.status_code == 503:
            return None
        if answer.status_code == UNFIT:
            return _Unfit(str(request.get("video_id")), answer.text[:_SHOWN])
        body = answer.json()
        return Asked(entity=body["video_id"], prediction_id=body["prediction_id"], model_version=body["model_version"])

    def _tell(self, outcome: Mapping[str, Any]) -> _Unfit | None:
        entity = str(outcome.get("entity") or outcome["video_id"])
        answer = self.post("/feedback", outcome, {"Idempotency-Key": f"feedback-{entity}"}, expected={202, UNFIT})
        return _Unfit(entity, answer.text[:_SHOWN]) if answer.status_code == UNFIT else None

    def post(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str], expected: set[int]) -> httpx.Response:
        """Tried again while serving is busy or away. Raises Unavailable when it stays so, EvergreenError for a status that is not expected."""
        try:
            for attempt in stamina.retry_context(on=_TryAgain, attempts=None, timeout=45, wait_initial=0.1, wait_max=2):
                with attempt:
                    answer = self._once(path, body, headers, expected)
        except _TryAgain as error:
            raise Unavailable(f"serving does not answer {path}: {error}; see `evergreen status` and `evergreen logs serving`") from error
        if answer.status_code not in expected:
            raise EvergreenError(f"serving refused {path} with {answer.status_code}: {answer.text[:_SHOWN]}")
        return answer

    def _once(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str], expected: set[int]) -> httpx.Response:
        try:
            answer = self._client.post(path, json=dict(body), headers={**headers, "Authorization": f"Bearer {self._token()}"})
        except httpx.TransportError as error:
            raise _TryAgain(f"{type(error).__name__} {error}") from error
        if (answer.status_code >= 500 or answer.status_code == 429) and answer.status_code not in expected:
            raise _TryAgain(f"{answer.status_code} {answer.text[:200]}")
        return answer


def _say_unfit(path: str, answers: Sequence[Asked | _Unfit | None]) -> None:
    unfit = [answer for answer in answers if isinstance(answer, _Unfit)]
    if unfit:
        log.warning("requests_refused", path=path, refused=len(unfit), of=len(answers), first=unfit[0].entity, reason=unfit[0].reason)
