"""Lets requests in to FastAPI's routes: what declares no need is denied, whatever added it."""

from __future__ import annotations

from starlette.routing import Match, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.auth.depth import TooDeep, is_json, too_deep
from serving.auth.gate import Gate, Head
from serving.auth.needs import declared
from serving.auth.refusals import Forbidden
from serving.bodies import MAX_BODY_BYTES, BodyTooLarge


class Guard:
    def __init__(self, app: ASGIApp, router: Router, gate: Gate) -> None:
        self._app, self._router, self._gate = app, router, gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises Refused, TooDeep."""
        if scope["type"] != "http":
            raise Forbidden("nothing but HTTP is served here")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        route = self._route(scope)
        if route is None:  # FastAPI says 404 or 405
            head = await self._gate.charge_peer(scope, headers)
        else:
            need = declared(route)
            if need is None:
                raise Forbidden("this route does not say who may use it")
            principal, head = await self._gate.admit(scope, headers, need)
            scope["state"]["principal"] = principal
        if "content-length" in headers or "transfer-encoding" in headers:
            receive = await _checked(receive, headers.get("content-type", ""))
        await self._app(scope, receive, _with(send, head))

    def _route(self, scope: Scope) -> object | None:
        return next((route for route in self._router.routes if route.matches(scope)[0] is Match.FULL), None)


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
