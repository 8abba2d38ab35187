"""FastAPI's errors, and ours raised in its routes, as the problems of `serving.problems`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from evergreen.contracts.api import Problem
from evergreen.core.errors import EvergreenError
from serving.hot import Reply
from serving.problems import (
    BROKE,
    INTERNAL,
    INVALID,
    MEDIA_TYPE,
    METHOD,
    NOT_FOUND,
    REQUEST,
    TOO_LARGE,
    UNAVAILABLE,
    Kind,
    invalid,
    problem,
    problem_of,
)

_OF_STATUS: Mapping[int, Kind] = {404: NOT_FOUND, 405: METHOD, 413: TOO_LARGE, 422: INVALID, 503: UNAVAILABLE}


def install(app: FastAPI) -> None:
    app.add_exception_handler(EvergreenError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _broken)  # answers only: it is raised on to the edge, which logs it


async def _known(request: Request, error: Exception) -> Response:
    assert isinstance(error, EvergreenError)  # noqa: S101 - by its registration
    return _response(problem_of(error, path=request.url.path, request_id=request.state.request_id))


async def _invalid(request: Request, error: Exception) -> Response:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    return _response(invalid(found, path=request.url.path, request_id=request.state.request_id))


async def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    if status == 405:
        headers = {"Allow": ", ".join(_methods(request))}
    kind = _OF_STATUS.get(status, INTERNAL if status >= 500 else REQUEST)
    said = {404: "no such path; see /docs", 405: "see /docs for the methods of this path", 413: "send less at once"}
    return _problem(request, kind, said.get(status, "the body cannot be read as JSON"), headers=headers)


def _methods(request: Request) -> list[str]:
    """Of the path. Starlette names those of the first route that fits, and each method is a route of its own here. As in OpenAPI a path that is
    spelt out is not also one with a free part: `/dead-letters/redrive` is no letter."""
    fitting = [route for route in request.app.router.routes if route.matches(request.scope)[0] is not Match.NONE]
    found = [route for route in fitting if route.path == request.url.path] or fitting
    return sorted({method for route in found for method in route.methods or ()})


async def _broken(request: Request, _error: Exception) -> Response:
    return _problem(request, INTERNAL, BROKE)


def _problem(request: Request, kind: Kind, detail: str, *, headers: Mapping[str, str] | None = None) -> Response:
    return _response(problem(kind, detail, path=request.url.path, request_id=request.state.request_id, headers=headers))


def _response(reply: Reply) -> Response:
    return Response(reply.body, reply.status, dict(reply.headers), reply.media_type)


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
