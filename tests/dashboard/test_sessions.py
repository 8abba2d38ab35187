"""Sessions end with their token, and the newest find room."""

from __future__ import annotations

import httpx
import pytest

from dashboard import sessions
from dashboard.api_client import Api, ApiError, connection_pool
from dashboard.sessions import Sessions
from evergreen.core.access import Role

VIEWER = frozenset({Role.VIEWER})


def test_a_session_ends_with_its_token() -> None:
    found = Sessions()
    assert found.of(found.begin("ann", VIEWER, "t", 60)) is not None
    assert found.of(found.begin("ann", VIEWER, "t", 0)) is None
    assert found.of(None) is None


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
    api = Api(connection_pool("http://serving", httpx.MockTransport(lambda _: httpx.Response(200, json={}))), held.token, held.signed_out.is_set)
    assert api.get("/models") == {}
    found.end(session_id)
    with pytest.raises(ApiError) as told:
        api.get("/models")
    assert told.value.signed_out
