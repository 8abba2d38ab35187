"""Sessions end with their token, and the newest find room."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from dashboard import sessions
from dashboard.api_client import Api, ApiError, connection_pool
from dashboard.chrome import ending
from dashboard.deployment import Deployment
from dashboard.sessions import Sessions
from dashboard.view import View
from evergreen.core.access import Role
from evergreen.core.clock import wall_now
from tests.support.dashboard_stub import Stub, shown

VIEWER = frozenset({Role.VIEWER})


def test_a_session_ends_with_its_token() -> None:
    found = Sessions()
    assert found.of(found.begin("ann", VIEWER, "t", 60)) is not None
    assert found.of(found.begin("ann", VIEWER, "t", 0)) is None
    assert found.of(None) is None


@pytest.mark.parametrize(("seconds", "said"), [(3600.0, False), (299.0, True), (20.0, True)])
def test_that_a_session_ends_soon_is_said_minutes_before(seconds: float, said: bool) -> None:
    stub = Stub({})

    def page(view: View) -> None:
        view.session.ends_at = wall_now() + timedelta(seconds=seconds)
        ending(view)

    ran = shown(page, stub, model="video_performance", report="a b")
    assert ["session ends in" in one.value for one in ran.markdown] == [True] * said
    links = [one.proto.body for one in ran.get("html")]
    assert ["/sign-in?again=1&amp;next=/%3Fmodel%3Dvideo_performance%26report%3Da%2Bb" in link for link in links] == [True] * said


def test_a_view_that_is_open_asks_with_the_token_of_whoever_signed_in_again() -> None:
    asked: list[str] = []
    found = Sessions()
    held = found.of(found.begin("ann", VIEWER, "old", 60))
    assert held is not None

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["authorization"])
        return httpx.Response(204)

    api = Deployment(found, connection_pool("http://serving", httpx.MockTransport(answer))).api(held)
    api.get("/models")
    found.renew(held, VIEWER, "new", 60)
    api.get("/models")
    assert asked == ["Bearer old", "Bearer new"]


def test_the_oldest_makes_room(monkeypatch) -> None:
    monkeypatch.setattr(sessions, "MOST", 2)
    found = Sessions()
    first = found.begin("ann", VIEWER, "t", 60)
    held = found.of(first)
    others = [found.begin(name, VIEWER, "t", 60) for name in ("bob", "cho")]
    assert held is not None
    assert held.signed_out.is_set()
    assert found.of(first) is None
    assert all(found.of(one) is not None for one in others)


def test_a_view_that_is_open_learns_that_its_person_has_signed_out() -> None:
    found = Sessions()
    session_id = found.begin("ann", VIEWER, "t", 60)
    held = found.of(session_id)
    assert held is not None
    api = Api(connection_pool("http://serving", httpx.MockTransport(lambda _: httpx.Response(200, json={}))), lambda: held.token, held.signed_out.is_set)
    assert api.get("/models") == {}
    found.end(session_id)
    with pytest.raises(ApiError) as told:
        api.get("/models")
    assert told.value.signed_out
