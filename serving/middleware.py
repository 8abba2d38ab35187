"""The edge of the process: names each request, bounds its body, measures it, answers the hot routes itself and turns what nobody caught into
a problem."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evergreen.core.errors import EvergreenError, InvalidRequest
from serving.auth.cors import Cors
from serving.auth.depth import TooDeep, is_json, too_deep
from serving.auth.gate import Gate
from serving.hot import Call, HotRoute, Reply
from serving.metrics import Metrics
from serving.problems import BROKE, INTERNAL, TOO_LARGE, problem, problem_of

MAX_BODY_BYTES = 2**20
STREAMED = frozenset({("POST", "/jobs/predictions")})
"""Bodies that are not held in memory: their routes bound them."""
_DISCARD_BYTES = 8 * 2**20
"""Of a body that is too large, read on so that the sender hears why instead of a reset connection."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
log = structlog.get_logger(__name__)


class BodyTooLarge(HTTPException):
    """Raised to whoever reads the body; the rest of it is read and thrown away by then."""

    def __init__(self) -> None:
        super().__init__(TOO_LARGE.status)


class Edge:
    def __init__(self, app: ASGIApp, *, gate: Gate, cors: Cors, hot: Iterable[HotRoute] = (), metrics: Metrics, draining: Callable[[], bool]) -> None:
        self._app = app
        self._gate = gate
        self._cors = cors
        self._hot = {(route.method, path): (route, params) for route in hot for path, params in route.exact.items()}
        self._metrics = metrics
        self._draining = draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, answer = time.perf_counter(), _Answer(send)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        state = self._name(scope, headers)
        answer.head = _head(state, close=self._draining()) + self._cors.head(headers)
        self._metrics.in_flight.inc()
        endpoint = None
        try:
            endpoint = await self._answer(scope, headers, _Body(receive, headers), answer)
        except EvergreenError as error:
            await answer.reply(problem_of(error, path=scope["path"], request_id=state["request_id"]))
        except BodyTooLarge:
            await answer.reply(problem(TOO_LARGE, f"the limit is {MAX_BODY_BYTES} bytes", path=scope["path"], request_id=state["request_id"]))
        except Exception:  # the process edge: whatever nobody caught is logged whole and told without a word of it
            log.exception("request_broke", method=scope["method"], path=scope["path"], request_id=state["request_id"])
            if answer.status is None:
                await answer.reply(problem(INTERNAL, BROKE, path=scope["path"], request_id=state["request_id"]))
        finally:
            self._metrics.in_flight.dec()
        self._measure(scope, endpoint, answer.status or 500, time.perf_counter() - begun)

    def _name(self, scope: Scope, headers: Mapping[str, str]) -> dict[str, Any]:
        request_id, traceparent = headers.get("x-request-id", ""), headers.get("traceparent", "")
        random = os.urandom(40).hex()
        state: dict[str, Any] = scope.setdefault("state", {})
        state["request_id"] = request_id if _REQUEST_ID.fullmatch(request_id) else _uuid4(random[48:])
        state["traceparent"] = traceparent if _TRACEPARENT.fullmatch(traceparent) else f"00-{random[:32]}-{random[32:48]}-01"
        return state

    async def _answer(self, scope: Scope, headers: Mapping[str, str], body: _Body, answer: _Answer) -> str | None:
        """Returns the hot route's template, None for all others."""
        found = self._hot.get((scope["method"], scope["path"]))
        if found is None and (preflight := self._cors.preflight(scope["method"], headers)) is not None:
            await answer.reply(preflight)
            return None
        if found is None:
            if (scope["method"], scope["path"]) in STREAMED:
                await self._app(scope, body.unbounded, answer)
                return None
            await body.refuse_announced()
            await self._app(scope, body, answer)
            return None
        route, params = found
        scope["hot"] = route.template
        query, state = scope["query_string"].decode("latin-1"), scope["state"]
        principal, rates = await self._gate.admit(scope, headers, route.need)
        answer.head += rates
        whole = await body.whole()
        if too_deep(whole) and is_json(headers.get("content-type", "")):
            if route.too_deep is None:
                raise TooDeep
            await answer.reply(route.too_deep)
            return route.template
        call = Call(whole, scope["path"], params, headers, query, principal, request_id=state["request_id"], traceparent=state["traceparent"])
        await answer.reply(await route.handle(call))
        return route.template

    def _measure(self, scope: Scope, endpoint: str | None, status: int, seconds: float) -> None:
        endpoint = endpoint or scope.get("hot") or getattr(scope.get("route"), "path_format", None) or "other"  # a path nobody serves must not become a label
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        self._metrics.answered(endpoint, method, status, seconds)


def _uuid4(random: str) -> str:
    """Of 32 hex digits, as `uuid.uuid4` writes it, at a fifth of its cost."""
    return f"{random[:8]}-{random[8:12]}-4{random[13:16]}-{'89ab'[int(random[16], 16) & 3]}{random[17:20]}-{random[20:]}"


def _head(state: Mapping[str, Any], *, close: bool) -> list[tuple[bytes, bytes]]:
    """What every answer carries."""
    head = [(b"x-request-id", state["request_id"].encode("latin-1")), (b"traceparent", state["traceparent"].encode("latin-1"))]
    return [*head, (b"connection", b"close")] if close else head


class _Answer:
    """Passes the answer on with the edge's headers; remembers its status."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.head: list[tuple[bytes, bytes]] = []
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = {name for name, _ in self.head}
            message["headers"] = [*(pair for pair in message.get("headers", ()) if pair[0] not in own), *self.head]
        await self._send(message)

    async def reply(self, reply: Reply) -> None:
        self.status = reply.status
        headers = [(b"content-length", str(len(reply.body)).encode()), (b"content-type", reply.media_type.encode("latin-1")), *self.head]
        if reply.headers:
            headers += [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers.items()]
        await self._send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": reply.body})


class _Body:
    """Counts what comes in: a body without an announced length ends at the limit too."""

    def __init__(self, receive: Receive, headers: Mapping[str, str]) -> None:
        self._receive = receive
        self._announced = headers.get("content-length", "")
        self._bytes = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._bytes += len(message.get("body", b""))
        if self._bytes > MAX_BODY_BYTES:
            await self._discard()
            raise BodyTooLarge
        return message

    @property
    def unbounded(self) -> Receive:
        return self._receive

    async def whole(self) -> bytes:
        await self.refuse_announced()
        message = await self()
        if not message.get("more_body"):
            return message.get("body", b"")  # type: ignore[no-any-return]
        parts = [message.get("body", b"")]
        while message.get("more_body"):
            message = await self()
            parts.append(message.get("body", b""))
        if message["type"] == "http.disconnect":
            raise InvalidRequest("the body broke off")
        return b"".join(parts)

    async def refuse_announced(self) -> None:
        if self._announced.isdigit() and int(self._announced) > MAX_BODY_BYTES:
            await self._discard()
            raise BodyTooLarge

    async def _discard(self) -> None:
        left = _DISCARD_BYTES
        while left > 0:
            message = await self._receive()
            left -= len(message.get("body", b""))
            if message["type"] != "http.request" or not message.get("more_body"):
                return
