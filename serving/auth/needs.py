"""What a route asks of its caller, declared next to it, and read again by whoever lets requests in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from evergreen.core.access import ALLOWED, Need

KEY = "x-need"
BEARER, PASSWORD, TICKET = "bearer", "account", "ticket"
"""Names of the security schemes in the OpenAPI document."""
PAGES = frozenset({"/docs", "/openapi.json"})
"""Public, and made by FastAPI itself."""
PROBES = frozenset({"/livez", "/readyz", "/ping", "/health", "/version", "/v2/health/live", "/v2/health/ready"})
"""Public, and counted against no limit: a probe that is refused makes somebody restart what is well."""


def requires(need: Need, *, ticket: bool = False) -> dict[str, Any]:
    """For a route's `openapi_extra`. `ticket`: a browser's streams, which send no headers, may bring one in the query."""
    if need is Need.PUBLIC:
        return {KEY: need.value, "security": []}
    roles = sorted(role.value for role in ALLOWED[need])
    security: list[dict[str, list[str]]] = [{BEARER: roles}, {PASSWORD: roles}]
    if ticket:
        security.append({TICKET: []})
    return {KEY: need.value, "security": [*security, {}] if need is Need.METRICS else security}


def takes_ticket(route: object) -> bool:
    return {TICKET: []} in (getattr(route, "openapi_extra", None) or {}).get("security", ())


def declared(route: object) -> Need | None:
    """Of a route of FastAPI's; None where it says nothing: then nobody may."""
    said = (getattr(route, "openapi_extra", None) or {}).get(KEY)
    if said is not None:
        return Need(said)
    path, kind = getattr(route, "path", ""), type(route).__name__
    return Need.PUBLIC if kind == "Route" and path in PAGES else None


def undeclared(routes: Iterable[object]) -> list[str]:
    return [str(getattr(route, "path", route)) for route in routes if declared(route) is None]


def described(document: dict[str, Any], token_url: str = "/auth/token") -> dict[str, Any]:  # noqa: S107 - an address
    """The OpenAPI document with the security schemes, and with what a request that is not let in is told."""
    scopes = {
        "user": "a person using an application; own data only",
        "viewer": "reads",
        "analyst": "reads, any user's data too",
        "operator": "also acts",
        "service": "an application",
    }
    document.setdefault("components", {})["securitySchemes"] = {
        BEARER: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "From `POST /auth/token` or `evergreen token create`."},
        PASSWORD: {
            "type": "oauth2",
            "flows": {"clientCredentials": {"tokenUrl": token_url, "scopes": scopes}, "password": {"tokenUrl": token_url, "scopes": scopes}},
        },
        TICKET: {"type": "apiKey", "in": "query", "name": "ticket", "description": "From `POST /auth/ticket`: once, within a minute."},
    }
    for operations in document["paths"].values():
        for operation in operations.values():
            _refusals(operation)
    return document


_NEEDS_TOKEN = {"401": "A token is needed, or this one does not count", "403": "This token's roles do not allow it"}
_LIMITED = {"429": "The caller's limit is used up; see `Retry-After`"}


def _refusals(operation: dict[str, Any]) -> None:
    public = operation.get(KEY) == Need.PUBLIC.value
    said: Mapping[str, str] = _LIMITED if public else _NEEDS_TOKEN | _LIMITED
    answers = operation["responses"]
    for status, words in said.items():
        answers.setdefault(status, {"description": words, "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}})
    operation["responses"] = dict(sorted(answers.items()))
