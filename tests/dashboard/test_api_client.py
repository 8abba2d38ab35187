"""Every way serving can fail to answer is one error that says what it was."""

from __future__ import annotations

import httpx
import pytest

from dashboard.api_client import Api, ApiError, connection_pool


def api(answer: httpx.Response | Exception) -> tuple[Api, list[httpx.Request]]:
    asked: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Api(connection_pool("http://serving", httpx.MockTransport(respond)), lambda: "secret"), asked


def test_it_asks_as_the_person_and_leaves_out_what_is_not_asked() -> None:
    caller, asked = api(httpx.Response(200, json={"events": []}))
    assert caller.get("/events", type=None, model=["a", "b"], limit=5) == {"events": []}
    assert str(asked[0].url) == "http://serving/events?model=a&model=b&limit=5"
    assert asked[0].headers["authorization"] == "Bearer secret"


def test_no_content_is_nothing() -> None:
    caller, _ = api(httpx.Response(204))
    assert caller.post("/cache") is None


@pytest.mark.parametrize(
    ("answer", "status", "away", "detail"),
    [
        (httpx.Response(503, json={"title": "Unavailable", "detail": "Postgres is away"}), 503, True, "Postgres is away"),
        (httpx.Response(401, json={"title": "Unauthorized"}), 401, False, ""),
        (httpx.Response(404, text="<html>"), 404, False, ""),
        (httpx.Response(422, json=["odd"]), 422, False, ""),
        (httpx.ConnectError("refused"), 0, True, "ConnectError"),
        (httpx.ReadTimeout("slow"), 0, True, "ReadTimeout"),
    ],
)
def test_a_refusal_and_a_silence_are_one_error(answer, status, away, detail) -> None:
    caller, _ = api(answer)
    with pytest.raises(ApiError) as told:
        caller.get("/models")
    assert (told.value.status, told.value.away, told.value.detail) == (status, away, detail)
