"""One request serving finds unfit costs that request, not the run."""

import json

import httpx
import pytest
import structlog
from structlog.testing import capture_logs

from evergreen.adapters.serving_client import ServingClient
from evergreen.core.errors import EvergreenError

ANSWER = {"prediction_id": "p1", "model_version": "video_performance@1"}


def serving(request: httpx.Request) -> httpx.Response:
    """As serving answers: 422 for what its schema refuses, 401 on a path it guards."""
    body = json.loads(request.content)
    if " " in body["video_id"] or body.get("outcome", {}).get("view_count", 0) < 0:
        return httpx.Response(422, json={"detail": "unfit"})
    if body["video_id"] == "guarded":
        return httpx.Response(401, text="who are you")
    return httpx.Response(200, json={**ANSWER, "video_id": body["video_id"]}) if request.url.path == "/predict/video" else httpx.Response(202)


@pytest.fixture
def client():
    structlog.reset_defaults()
    with ServingClient("http://serving", lambda: "a.b.c", transport=httpx.MockTransport(serving)) as made:
        yield made


def test_an_unfit_request_counts_as_not_asked_and_is_said(client: ServingClient) -> None:
    with capture_logs() as said:
        answers = client.ask([{"video_id": "a"}, {"video_id": "b c"}, {"video_id": "d"}])
    assert [answer.entity if answer else None for answer in answers] == ["a", None, "d"]
    assert [(one["event"], one["refused"], one["of"], one["first"]) for one in said] == [("requests_refused", 1, 3, "b c")]


def test_an_unfit_outcome_counts_as_not_told_and_is_said(client: ServingClient) -> None:
    with capture_logs() as said:
        client.tell([{"video_id": "a", "outcome": {"view_count": -5}}, {"video_id": "b", "outcome": {"view_count": 5}}])
    assert [(one["path"], one["refused"], one["first"]) for one in said] == [("/feedback", 1, "a")]


def test_any_other_refusal_is_an_error(client: ServingClient) -> None:
    with pytest.raises(EvergreenError, match="refused /predict/video with 401: who are you"):
        client.ask([{"video_id": "guarded"}])
