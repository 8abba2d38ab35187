"""A report's scripts run in an origin of their own, for whoever is signed in."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import httpx
import pytest
from starlette.responses import Response

from dashboard import reports
from dashboard.api_client import connection_pool
from dashboard.deployment import Deployment
from dashboard.sessions import Session, Sessions
from evergreen.core.access import Role

REPORT = UUID("263e39a7-3d7b-50ea-a76f-446afa1184cc")
ANN = Session("ann", frozenset({Role.VIEWER}), "a.token", datetime(2999, 1, 1, tzinfo=UTC))


def asked(monkeypatch: pytest.MonkeyPatch, answer: httpx.Response, session: Session | None = ANN) -> tuple[Response, list[httpx.Request]]:
    heard: list[httpx.Request] = []

    def serving(request: httpx.Request) -> httpx.Response:
        heard.append(request)
        return answer

    monkeypatch.setattr(reports, "deployment", lambda: Deployment(Sessions(), connection_pool("http://serving", httpx.MockTransport(serving))))
    return asyncio.run(reports.drift_report(session, REPORT)), heard


def test_it_is_fetched_as_the_person_and_put_into_a_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    answer, heard = asked(monkeypatch, httpx.Response(200, text="<script>report()</script>"))
    assert answer.body == b"<script>report()</script>"
    assert heard[0].url.path == f"/drift/reports/{REPORT}/picture"
    assert heard[0].headers["authorization"] == "Bearer a.token"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts; default-src 'none';")
    assert "allow-same-origin" not in policy
    assert "http" not in policy


def test_nobody_else_gets_it_and_a_refusal_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    answer, heard = asked(monkeypatch, httpx.Response(200, text="x"), session=None)
    assert (answer.status_code, heard) == (401, [])
    answer, _ = asked(monkeypatch, httpx.Response(404, json={"title": "There is no such thing"}))
    assert (answer.status_code, answer.media_type) == (404, "text/plain")
