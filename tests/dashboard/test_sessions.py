"""Sessions end with their token, and the newest find room."""

from __future__ import annotations

from dashboard import sessions
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
    first, *others = [found.begin(name, VIEWER, "t", 60) for name in ("ann", "bob", "cho")]
    assert found.of(first) is None
    assert all(found.of(one) is not None for one in others)
