"""The edge of the process: names each request, bounds its body, measures it, and turns what nobody caught into a problem."""

from __future__ import annotations

import re
import secrets
import time
import uuid
from collections.abc import Callable

import structlog
from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.errors import INTERNAL, TOO_LARGE, problem
from serving.metrics import Metrics

MAX_BODY_BYTES = 2**20
_DISCARD_BYTES = 8 * 2**20
"""Of a body that is too large, read on so that the sender hears why instead of a reset connection."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
log = structlog.get_logger(__name__)


class Edge:
    def __init__(self, app: ASGIApp, *, metrics: Metrics, draining: Callable[[], bool]) -> None:
        self._app = app
        self._metrics = metrics
        self._draining = draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, answer = time.perf_counter(), _Answer(send, self._head(scope))
        self._metrics.in_flight.inc()
        try:
            await self._bounded(scope, receive, answer)
        except Exception:  # the process edge: whatever nobody caught is logged whole and told without a word of it
            log.exception("request_broke", method=scope["method"], path=scope["path"], request_id=scope["state"]["request_id"])
            if answer.status is None:
                await problem(scope, INTERNAL, "see the log of serving for this request id")(scope, receive, answer)
        finally:
            self._metrics.in_flight.dec()
        self._measure(scope, answer.status or 500, time.perf_counter() - begun)

    def _head(self, scope: Scope) -> dict[str, str]:
        """What every answer carries; also put where the routes find it."""
        given = Headers(scope=scope)
        request_id, traceparent = given.get("x-request-id", ""), given.get("traceparent", "")
        said = {
            "x-request-id": request_id if _REQUEST_ID.fullmatch(request_id) else str(uuid.uuid4()),
            "traceparent": traceparent if _TRACEPARENT.fullmatch(traceparent) else f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01",
        }
        scope.setdefault("state", {}).update(request_id=said["x-request-id"], traceparent=said["traceparent"])
        return said | ({"connection": "close"} if self._draining() else {})

    async def _bounded(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        announced = Headers(scope=scope).get("content-length", "")
        body = _Body(receive)
        if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
            await body.discard()
            await problem(scope, TOO_LARGE, f"the limit is {MAX_BODY_BYTES} bytes")(scope, receive, answer)
        else:
            await self._app(scope, body, answer)

    def _measure(self, scope: Scope, status: int, seconds: float) -> None:
        route = scope.get("route")
        endpoint = getattr(route, "path", None) or "other"  # a path nobody serves must not become a label
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        self._metrics.requests.labels(endpoint, method, str(status)).inc()
        self._metrics.seconds.labels(endpoint).observe(seconds)


class _Answer:
    """Passes the answer on with the edge's headers; remembers its status."""

    def __init__(self, send: Send, head: dict[str, str]) -> None:
        self._send = send
        self._head = head
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message).update(self._head)
        await self._send(message)


class _Body:
    """Counts what comes in: a body without an announced length ends at the limit too."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._bytes = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._bytes += len(message.get("body", b""))
        if self._bytes > MAX_BODY_BYTES:
            await self.discard()
            raise HTTPException(TOO_LARGE.status)
        return message

    async def discard(self) -> None:
        left = _DISCARD_BYTES
        while left > 0:
            message = await self._receive()
            left -= len(message.get("body", b""))
            if message["type"] != "http.request" or not message.get("more_body"):
                return
