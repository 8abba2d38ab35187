"""The edge of the process: names each request, bounds its body, measures it, answers the hot routes itself and turns what nobody caught into
a problem."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from evergreen.core.access import ANONYMOUS, Principal
from evergreen.core.errors import EvergreenError
from evergreen.services.prediction_ids import RandomBlocks
from serving.auth.cors import Cors
from serving.auth.depth import TooDeep, is_json, too_deep
from serving.auth.gate import Admitted, Gate, Head
from serving.bodies import MAX_BODY_BYTES, Answering, Body, BodyTooLarge
from serving.hot import Call, HotRoute, Reply, Soon
from serving.metrics import Metrics
from serving.problems import BROKE, INTERNAL, TOO_LARGE, problem, problem_of
from serving.sockets import answer_socket

STREAMED = frozenset({("POST", "/jobs/predictions")})
"""Bodies that are not held in memory: their routes bound them."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
log = structlog.get_logger(__name__)
Found = tuple[HotRoute, Mapping[str, str]]
"""A hot route and the parts of the path it was found by."""


class Exchange:
    """One request on its way through the edge."""

    __slots__ = ("begun", "call", "endpoint", "head", "headers", "principal", "scope")

    def __init__(self, scope: Scope, headers: Mapping[str, str], head: Head) -> None:
        self.begun = time.perf_counter()
        self.scope, self.headers, self.head = scope, headers, head
        self.endpoint: str | None = None
        """The template of the hot route it is for."""
        self.principal: Principal | None = None
        """Once it is let in."""
        self.call: Call | None = None

    def let_in(self, admitted: Admitted) -> None:
        self.principal = admitted.principal
        self.head += admitted.head


class Edge:
    def __init__(self, app: ASGIApp, *, gate: Gate, cors: Cors, hot: Iterable[HotRoute] = (), metrics: Metrics, draining: Callable[[], bool]) -> None:
        self._app = app
        self._gate = gate
        self._cors = cors
        self.hot: Mapping[tuple[str, str], Found] = {(route.method, path): (route, params) for route in hot for path, params in route.exact.items()}
        """By method and path."""
        self._metrics = metrics
        self.draining = draining
        self._ids = RandomBlocks(40)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if scope["type"] == "websocket":
            self._name(scope, headers)
            await answer_socket(self._app, scope, receive, send, self._told)
            return
        exchange, body = self.begin(scope, headers), Body(receive, headers)
        answer = Answering(send, partial(self.end, exchange))
        answer.head = exchange.head
        try:
            found = self.hot.get((scope["method"], scope["path"]))
            reply = await self.reply(exchange, found, body.whole) if found is not None else await self._pass_on(exchange, body, answer)
            if reply is not None and answer.status is None:
                answer.head = exchange.head
                await answer.reply(reply)
        finally:
            if not answer.streams:
                self.end(exchange, answer.status or 500)

    def begin(self, scope: Scope, headers: Mapping[str, str]) -> Exchange:
        """Call `end` whatever happens in between."""
        state = self._name(scope, headers)
        self._metrics.entered()
        return Exchange(scope, headers, _head(state, close=self.draining()) + self._cors.head(headers))

    def end(self, exchange: Exchange, status: int) -> None:
        self._metrics.left()
        scope = exchange.scope
        # A path that nobody serves must not become a label.
        endpoint = exchange.endpoint or getattr(scope.get("route"), "path_format", None) or "other"
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        self._metrics.answered(endpoint, method, status, time.perf_counter() - exchange.begun)

    def reply_at_once(self, exchange: Exchange, found: Found, body: bytes) -> Reply | None:
        """To a hot route, where nothing has to be waited for. None: ask `reply`, with the same exchange."""
        route, params = found
        if route.at_once is None:
            return None
        exchange.endpoint = route.template
        try:
            if (admitted := self._gate.at_once(exchange.scope, exchange.headers, route.need)) is None:
                return None
            exchange.let_in(admitted)
            return _refused_for_depth(exchange, route, body) or route.at_once(_call(exchange, params, body))
        except Exception as error:  # noqa: BLE001 - the process edge, as in `reply`
            return self._told(exchange.scope, error)

    def reply_soon(self, exchange: Exchange, route: HotRoute) -> Soon | None:
        """To a request that was let in, but not answered, by `reply_at_once`. None: ask `reply`."""
        if route.soon is None or exchange.call is None:
            return None
        try:
            return route.soon(exchange.call)
        except Exception:  # noqa: BLE001 - `reply` meets it again, and tells of it
            return None

    def heard(self, exchange: Exchange, soon: Soon) -> Reply | None:
        """After `soon.answered`. None: ask `reply`."""
        try:
            return soon.reply()
        except Exception as error:  # noqa: BLE001 - the process edge, as in `reply`
            return self._told(exchange.scope, error)

    async def reply(self, exchange: Exchange, found: Found, whole: Callable[[], Awaitable[bytes]]) -> Reply:
        """To a hot route. `whole` gives the body, once it is known that the caller may send one."""
        route, params = found
        exchange.endpoint = route.template
        try:
            if exchange.principal is None:
                exchange.let_in(await self._gate.admit(exchange.scope, exchange.headers, route.need))
            body = await whole()
            return _refused_for_depth(exchange, route, body) or await route.handle(_call(exchange, params, body))
        except Exception as error:  # noqa: BLE001 - the process edge: what nobody caught is logged whole and told without a word of it
            return self._told(exchange.scope, error)

    async def _pass_on(self, exchange: Exchange, body: Body, answer: Answering) -> Reply | None:
        """To FastAPI, but for browsers that only ask whether they may."""
        scope = exchange.scope
        if (preflight := self._cors.preflight(scope["method"], exchange.headers)) is not None:
            return preflight
        try:
            if (scope["method"], scope["path"]) in STREAMED:
                await self._app(scope, body.unbounded, answer)
            else:
                await body.refuse_announced()
                await self._app(scope, body, answer)
        except Exception as error:  # noqa: BLE001 - the process edge, as in `reply`
            return self._told(scope, error)
        return None

    def _told(self, scope: Scope, error: Exception) -> Reply:
        path, request_id = scope["path"], scope["state"]["request_id"]
        if isinstance(error, EvergreenError):
            return problem_of(error, path=path, request_id=request_id)
        if isinstance(error, BodyTooLarge):
            return problem(TOO_LARGE, f"the limit is {MAX_BODY_BYTES} bytes", path=path, request_id=request_id)
        log.error("request_broke", method=scope.get("method", scope["type"]), path=path, request_id=request_id, exc_info=error)
        return problem(INTERNAL, BROKE, path=path, request_id=request_id)

    def _name(self, scope: Scope, headers: Mapping[str, str]) -> dict[str, Any]:
        request_id, traceparent = headers.get("x-request-id", ""), headers.get("traceparent", "")
        random = self._ids.take().hex()
        state: dict[str, Any] = scope.setdefault("state", {})
        state["request_id"] = request_id if request_id and _REQUEST_ID.fullmatch(request_id) else _uuid4(random[48:])
        state["traceparent"] = traceparent if traceparent and _TRACEPARENT.fullmatch(traceparent) else f"00-{random[:32]}-{random[32:48]}-01"
        return state


def _call(exchange: Exchange, params: Mapping[str, str], body: bytes) -> Call:
    if exchange.call is None:
        scope = exchange.scope
        query, state, principal = scope["query_string"].decode("latin-1"), scope["state"], exchange.principal or ANONYMOUS
        names = {"request_id": state["request_id"], "traceparent": state["traceparent"]}
        exchange.call = Call(body, scope["path"], params, exchange.headers, query, principal, **names)
    return exchange.call


def _refused_for_depth(exchange: Exchange, route: HotRoute, body: bytes) -> Reply | None:
    if not (too_deep(body) and is_json(exchange.headers.get("content-type", ""))):
        return None
    if route.too_deep is None:
        raise TooDeep
    return route.too_deep


def _uuid4(random: str) -> str:
    """Of 32 hex digits, as `uuid.uuid4` writes it, at a fifth of its cost."""
    return f"{random[:8]}-{random[8:12]}-4{random[13:16]}-{'89ab'[int(random[16], 16) & 3]}{random[17:20]}-{random[20:]}"


def _head(state: Mapping[str, Any], *, close: bool) -> list[tuple[bytes, bytes]]:
    """What every answer carries."""
    head = [(b"x-request-id", state["request_id"].encode("latin-1")), (b"traceparent", state["traceparent"].encode("latin-1"))]
    return [*head, (b"connection", b"close")] if close else head
