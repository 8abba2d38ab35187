"""Lets requests in to FastAPI's routes: what declares no need is denied, whatever added it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from urllib.parse import parse_qs

from starlette.routing import BaseRoute, Match, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evergreen.core.errors import NotFound
from evergreen.ports.access import Tickets
from serving.auth.depth import TooDeep, is_json, too_deep
from serving.auth.gate import Gate, Head
from serving.auth.needs import declared, takes_ticket
from serving.auth.refusals import Forbidden
from serving.auth.tickets import admit_by_ticket
from serving.bodies import MAX_BODY_BYTES, BodyTooLarge


class Guard:
    def __init__(self, app: ASGIApp, router: Router, gate: Gate, tickets: Tickets) -> None:
        self._app, self._router, self._gate, self._tickets = app, router, gate, tickets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises Refused, TooDeep; NotFound for a socket."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        route = self._route(scope)
        head = await self._gate.charge_peer(scope, headers) if route is None else await self._admit(route, scope, headers)
        if scope["type"] == "websocket":
            await self._socket(route, scope, receive, send)
            return
        # Of a route there is none of FastAPI says 404 or 405.
        if "content-length" in headers or "transfer-encoding" in headers:
            receive = await _checked(receive, headers.get("content-type", ""))
        await self._app(scope, receive, _with(send, head))

    async def _admit(self, route: BaseRoute, scope: Scope, headers: Mapping[str, str]) -> Head:
        need = declared(route)
        if need is None:
            raise Forbidden("this route does not say who may use it")
        ticket = _ticket(scope) if takes_ticket(route) and "authorization" not in headers else None
        if ticket is None:
            principal, head = await self._gate.admit(scope, headers, need)
        else:
            redeem = partial(admit_by_ticket, self._tickets, self._gate.authenticator, ticket, need)
            principal, head = await self._gate.admit_by(redeem, scope, headers, need)
        scope["state"]["principal"] = principal
        return head

    async def _socket(self, route: BaseRoute | None, scope: Scope, receive: Receive, send: Send) -> None:
        """Past FastAPI, which would swallow what is raised before a socket is accepted."""
        if route is None:
            raise NotFound("no such path; see /docs")
        scope.update(route.matches(scope)[1])
        await route.handle(scope, receive, send)

    def _route(self, scope: Scope) -> BaseRoute | None:
        return next((route for route in self._router.routes if route.matches(scope)[0] is Match.FULL), None)


def _ticket(scope: Scope) -> str | None:
    given: list[str] = parse_qs(scope["query_string"].decode("latin-1")).get("ticket", [])
    return given[-1] if given else None


async def _checked(receive: Receive, media_type: str) -> Receive:
    """The same body, looked through where it is JSON."""
    if not is_json(media_type):
        return receive
    messages = [await receive()]
    length = len(messages[0].get("body", b""))
    while messages[-1].get("more_body"):
        messages.append(await receive())
        length += len(messages[-1].get("body", b""))
        if length > MAX_BODY_BYTES:  # a route that takes more streams it, and not as JSON
            raise BodyTooLarge
    if too_deep(b"".join(message.get("body", b"") for message in messages)):
        raise TooDeep
    messages.reverse()

    async def again() -> Message:
        return messages.pop() if messages else await receive()

    return again


def _with(send: Send, head: Head) -> Send:
    if not head:
        return send

    async def said(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *head]
        await send(message)

    return said
