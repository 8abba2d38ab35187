"""Errors as RFC 9457 problems. `type` is stable; `detail` is for people and never holds a traceback, a path, SQL or a library's words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from evergreen.contracts.api import Problem
from evergreen.core.errors import EvergreenError, InvalidEvent, InvalidRequest, KeyReused, NoChampion, NotFound, Unavailable
from evergreen.services.predict import NothingKnown

MEDIA_TYPE = "application/problem+json"
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Kind:
    slug: str
    title: str
    status: int
    retry_after: int | None = None

    @property
    def type(self) -> str:
        return f"urn:evergreen:problem:{self.slug}"


MALFORMED = Kind("malformed-body", "The body is not JSON", 400)
NOT_FOUND = Kind("not-found", "There is no such thing", 404)
UNKNOWN_VIDEO = Kind("unknown-video", "Nothing is known of this video", 404)
METHOD = Kind("method-not-allowed", "This path has no such method", 405)
TOO_LARGE = Kind("body-too-large", "The body is larger than 1 MiB", 413)
INVALID = Kind("invalid-request", "The request cannot be used", 422)
KEY_REUSED = Kind("idempotency-key-reused", "The idempotency key was used for something else", 422)
INTERNAL = Kind("internal-error", "Something broke here", 500)
NO_CHAMPION = Kind("no-champion", "No version of the model serves", 503, retry_after=5)
UNAVAILABLE = Kind("unavailable", "A part that is needed does not answer", 503, retry_after=1)
REQUEST = Kind("bad-request", "The request cannot be understood", 400)

_OF_ERROR: tuple[tuple[type[EvergreenError], Kind], ...] = (
    (NothingKnown, UNKNOWN_VIDEO),
    (NotFound, NOT_FOUND),
    (NoChampion, NO_CHAMPION),
    (Unavailable, UNAVAILABLE),
    (KeyReused, KEY_REUSED),
    (InvalidRequest, INVALID),
    (InvalidEvent, INVALID),
)
"""The first that fits."""
_OF_STATUS: Mapping[int, Kind] = {404: NOT_FOUND, 405: METHOD, 413: TOO_LARGE, 422: INVALID, 503: UNAVAILABLE}


def problem(scope: Scope, kind: Kind, detail: str, *, headers: Mapping[str, str] | None = None, faults: Sequence[Mapping[str, str]] | None = None) -> Response:
    body: dict[str, Any] = {
        "type": kind.type,
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "instance": scope.get("path", ""),
        "request_id": scope.get("state", {}).get("request_id", ""),
    }
    if faults is not None:
        body["errors"] = list(faults)
    retry = {} if kind.retry_after is None else {"Retry-After": str(kind.retry_after)}
    # ASCII: a path may hold what no UTF-8 can say
    return Response(json.dumps(body), kind.status, {**retry, **(headers or {})}, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    app.add_exception_handler(EvergreenError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


async def _known(request: Request, error: Exception) -> Response:
    kind = next((kind for kin, kind in _OF_ERROR if isinstance(error, kin)), INTERNAL)
    if kind is INTERNAL:
        log.error("unexpected_error", path=request.url.path, error=str(error), request_id=request.state.request_id)
        return problem(request.scope, kind, "see the log of serving for this request id")
    return problem(request.scope, kind, str(error))


async def _invalid(request: Request, error: Exception) -> Response:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    if any(fault["type"] == "json_invalid" for fault in found):
        return problem(request.scope, MALFORMED, "the body must be one JSON object in UTF-8")
    faults = [{"field": ".".join(str(part) for part in fault["loc"][1:]) or str(fault["loc"][0]), "message": str(fault["msg"])} for fault in found[:20]]
    return problem(request.scope, INVALID, "; ".join(f"{fault['field']}: {fault['message']}" for fault in faults[:3]), faults=faults)


async def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    kind = _OF_STATUS.get(status, INTERNAL if status >= 500 else REQUEST)
    said = {404: "no such path; see /docs", 405: "see /docs for the methods of this path", 413: "send less at once"}
    return problem(request.scope, kind, said.get(status, "the body cannot be read as JSON"), headers=headers)


def responses(*kinds: Kind) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses`: which problems it may answer with."""
    titles: dict[int, list[str]] = {}
    for kind in (*kinds, REQUEST, TOO_LARGE, INVALID, INTERNAL):
        titles.setdefault(kind.status, []).append(f"{kind.title} (`{kind.type}`)")
    return {status: {"model": Problem, "description": "; ".join(dict.fromkeys(said))} for status, said in sorted(titles.items())}


def problem_media(document: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI document with its problems under their own media type."""
    for operations in document["paths"].values():
        for operation in operations.values():
            for answer in operation["responses"].values():
                content = answer.get("content", {})
                if content.get("application/json", {}).get("schema", {}).get("$ref", "").endswith("/Problem"):
                    content[MEDIA_TYPE] = content.pop("application/json")
    return document
