"""Every route says who may use it, and what is open to everybody is what was declared so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evergreen.core.access import ALLOWED, Need, Role
from evergreen.environment import CHECKOUT
from serving.auth.needs import KEY, PAGES, PROBES, declared, undeclared
from tests.support.serving_bench import Bench

PUBLIC = PROBES | PAGES | {"/auth/token"}


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    document = json.loads((CHECKOUT / "docs" / "reference" / "openapi.json").read_text())
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_no_route_forgets_to_say_who_may_use_it(tmp_path: Path) -> None:
    routes = Bench(tmp_path).app.api.router.routes
    assert undeclared(routes) == [], "declare it: openapi_extra=requires(Need.…); until then everybody is denied"
    assert {getattr(route, "path", "") for route in routes if declared(route) is Need.PUBLIC} <= PUBLIC


def test_what_is_public_is_on_the_list() -> None:
    assert {
        *("/livez", "/readyz", "/ping", "/health", "/version", "/v2/health/live", "/v2/health/ready", "/docs", "/openapi.json", "/auth/token"),
    } == PUBLIC


@pytest.mark.parametrize(("path", "method", "operation"), [pytest.param(*found, id=f"{found[1]}-{found[0]}") for found in operations()])
def test_the_document_says_what_a_route_needs_and_what_refuses(path: str, method: str, operation: dict[str, Any]) -> None:
    need = Need(operation[KEY])
    roles = sorted(ALLOWED[need])
    assert (path in PUBLIC) == (need is Need.PUBLIC)
    assert {"429"} <= set(operation["responses"])
    if need is Need.PUBLIC:
        assert operation["security"] == []
        return
    assert {"401", "403"} <= set(operation["responses"])
    assert operation["security"][:2] == [{"bearer": roles}, {"account": roles}]


def test_a_user_does_not_say_what_came_of_a_prediction_and_does_not_act() -> None:
    assert Role.USER not in ALLOWED[Need.TELL] | ALLOWED[Need.ACT] | ALLOWED[Need.READ]
    assert [operation[KEY] for path, _, operation in operations() if path == "/feedback"] == ["tell"]
