"""A page on its own: Streamlit's AppTest runs it, serving is a table of answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
from streamlit.testing.v1 import AppTest

from dashboard.api_client import Api, connection_pool
from dashboard.formats import Formats
from dashboard.sessions import Session
from dashboard.view import Page, View, guarded
from dashboard.words import words
from evergreen.core.access import Role

Answer = Any | Callable[[httpx.Request], Any]
"""JSON, a status that is refused, or what to make of the request."""


class Stub:
    """`METHOD /path` -> answer. What is not there is 404; every request is kept."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self.answers = dict(answers)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.get(f"{request.method} {request.url.path}", 404)
        made = answer(request) if callable(answer) else answer
        if isinstance(made, httpx.Response):
            return made
        if isinstance(made, int):
            return httpx.Response(made, json={"title": "refused", "detail": f"status {made}"})
        return httpx.Response(200, content=json.dumps(made), headers={"content-type": "application/json"})

    def view(self, language: str = "en", role: Role = Role.OPERATOR) -> View:
        session = Session("ann", frozenset({role}), "a.token", datetime(2999, 1, 1, tzinfo=UTC))
        return View(Api(connection_pool("http://serving", httpx.MockTransport(self)), lambda: "a.token"), words(language), Formats(language), session, language)


def shown(page: Page, stub: Stub, *, language: str = "en", role: Role = Role.OPERATOR, tab: str = "", **asked: str) -> AppTest:
    """The page as that person sees it, with the tab of its texts' `tab` open; `asked` stands in its address. Fails on an exception of the page's own."""

    def script(page, view, guarded) -> None:  # its text alone is run: names of types are not known there
        guarded(page, view)

    ran = AppTest.from_function(script, args=(page, stub.view(language, role), guarded), default_timeout=20)
    if tab:
        open_tab(ran, page, tab, language)
    for name, value in asked.items():
        ran.query_params[name] = value
    ran.run()
    assert not ran.exception, ran.exception
    return ran


def open_tab(ran: AppTest, page: Page, tab: str, language: str = "en") -> None:
    """From the next run on."""
    name = page.__module__.rpartition(".")[2]
    ran.session_state[f"{name}_tab"] = words(language)(f"{name}.{tab}")


def calls(stub: Stub) -> list[str]:
    """What was asked, in no order."""
    return sorted(request.url.path for request in stub.asked)
