"""Errors as RFC 9457 problems. `type` is stable; `detail` is for people and never holds a traceback, a path, SQL or a library's words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from evergreen.core.errors import (
    DeploymentRefused,
    EvergreenError,
    Gone,
    InvalidEvent,
    InvalidRequest,
    KeyReused,
    NoChampion,
    NotFound,
    NotReady,
    SecretGivenOut,
    TooLarge,
    TooMany,
    Unavailable,
    UnsupportedMedia,
    WrongCredentials,
)
from evergreen.services.predict import NothingKnown
from serving.auth.depth import TooDeep
from serving.auth.refusals import Forbidden, HeadersTooLarge, Refused, TooManyRequests, Unauthorized
from serving.hot import Reply

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
TOO_DEEP = Kind("body-too-deep", "The body is nested too deep", 400)
UNAUTHORIZED = Kind("unauthorized", "A token that counts is needed", 401)
WRONG_CREDENTIALS = Kind("wrong-credentials", "The name or its secret is wrong", 401)
FORBIDDEN = Kind("forbidden", "This token may not do this", 403)
NOT_FOUND = Kind("not-found", "There is no such thing", 404)
UNKNOWN_VIDEO = Kind("unknown-video", "Nothing is known of this video", 404)
METHOD = Kind("method-not-allowed", "This path has no such method", 405)
TOO_LARGE = Kind("body-too-large", "The body is larger than 1 MiB", 413)
UPLOAD_TOO_LARGE = Kind("upload-too-large", "More than a job may have", 413)
CHANGE_REFUSED = Kind("change-refused", "This change may not be made now", 409)
NOT_READY = Kind("job-not-finished", "The job has no result", 409)
GONE = Kind("result-gone", "The result was removed", 410)
UNSUPPORTED = Kind("unsupported-media-type", "A body of this type is not read", 415)
TOO_MANY_JOBS = Kind("too-many-jobs", "As many jobs as one caller may have", 429, retry_after=30)
SECRET_GIVEN = Kind("secret-given-out", "Its secret was told once, and is not told again", 409)
INVALID = Kind("invalid-request", "The request cannot be used", 422)
KEY_REUSED = Kind("idempotency-key-reused", "The idempotency key was used for something else", 422)
TOO_MANY = Kind("too-many-requests", "The caller's limit is used up", 429)
HEADERS = Kind("headers-too-large", "The headers are too many", 431)
INTERNAL = Kind("internal-error", "Something broke here", 500)
NO_CHAMPION = Kind("no-champion", "No version of the model serves", 503, retry_after=5)
UNAVAILABLE = Kind("unavailable", "A part that is needed does not answer", 503, retry_after=1)
REQUEST = Kind("bad-request", "The request cannot be understood", 400)

_OF_ERROR: tuple[tuple[type[EvergreenError], Kind], ...] = (
    (Unauthorized, UNAUTHORIZED),
    (Forbidden, FORBIDDEN),
    (TooManyRequests, TOO_MANY),
    (HeadersTooLarge, HEADERS),
    (WrongCredentials, WRONG_CREDENTIALS),
    (TooDeep, TOO_DEEP),
    (NothingKnown, UNKNOWN_VIDEO),
    (NotFound, NOT_FOUND),
    (NoChampion, NO_CHAMPION),
    (Unavailable, UNAVAILABLE),
    (KeyReused, KEY_REUSED),
    (SecretGivenOut, SECRET_GIVEN),
    (DeploymentRefused, CHANGE_REFUSED),
    (TooLarge, UPLOAD_TOO_LARGE),
    (NotReady, NOT_READY),
    (Gone, GONE),
    (UnsupportedMedia, UNSUPPORTED),
    (TooMany, TOO_MANY_JOBS),
    (InvalidRequest, INVALID),
    (InvalidEvent, INVALID),
)
"""The first that fits."""
BROKE = "see the log of serving for this request id"


def problem(
    kind: Kind, detail: str, *, path: str, request_id: str, headers: Mapping[str, str] | None = None, faults: Sequence[Mapping[str, str]] | None = None
) -> Reply:
    body: dict[str, Any] = {
        "type": kind.type,
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "instance": path,
        "request_id": request_id,
    }
    if faults is not None:
        body["errors"] = list(faults)
    retry = {} if kind.retry_after is None else {"Retry-After": str(kind.retry_after)}
    # ASCII: a path may hold what no UTF-8 can say
    return Reply(json.dumps(body).encode(), kind.status, MEDIA_TYPE, {**retry, **(headers or {})})


def invalid(found: Sequence[Mapping[str, Any]], *, path: str, request_id: str) -> Reply:
    """`found`: pydantic's faults, their places beginning with `body`, `query` …"""
    if any(fault["type"] == "json_invalid" for fault in found):
        return problem(MALFORMED, "the body must be one JSON object in UTF-8", path=path, request_id=request_id)
    faults = [{"field": ".".join(str(part) for part in fault["loc"][1:]) or str(fault["loc"][0]), "message": str(fault["msg"])} for fault in found[:20]]
    detail = "; ".join(f"{fault['field']}: {fault['message']}" for fault in faults[:3])
    return problem(INVALID, detail, path=path, request_id=request_id, faults=faults)


def kind_of(error: EvergreenError) -> Kind:
    return next((kind for kin, kind in _OF_ERROR if isinstance(error, kin)), INTERNAL)


def problem_of(error: EvergreenError, *, path: str, request_id: str) -> Reply:
    kind = kind_of(error)
    if kind is INTERNAL:
        log.error("unexpected_error", path=path, error=str(error), request_id=request_id)
        return problem(kind, BROKE, path=path, request_id=request_id)
    if isinstance(error, Unavailable):
        if str(error) != error.said:
            log.warning("part_away", path=path, error=str(error), request_id=request_id)
        return problem(kind, error.said, path=path, request_id=request_id)
    return problem(kind, str(error), path=path, request_id=request_id, headers=_headers_of(error))


def _headers_of(error: EvergreenError) -> Mapping[str, str] | None:
    if isinstance(error, WrongCredentials):
        return {"WWW-Authenticate": 'Basic realm="evergreen"'}
    return error.headers if isinstance(error, Refused) else None
