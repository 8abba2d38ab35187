"""WebSockets at the edge: whoever is not let in hears why as over HTTP, in a problem, and before anything is accepted."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.hot import Reply

FAILED = 1011


async def answer_socket(app: ASGIApp, scope: Scope, receive: Receive, send: Send, told: Callable[[Scope, Exception], Reply]) -> None:
    """`told`: what the edge answers to an error."""
    accepted = False

    async def said(message: Message) -> None:
        nonlocal accepted
        accepted = accepted or message["type"] == "websocket.accept"
        await send(message)

    try:
        await app(scope, receive, said)
    except Exception as error:  # noqa: BLE001 - the process edge, as for requests
        reply = told(scope, error)
        if accepted:
            await send({"type": "websocket.close", "code": FAILED})
        else:
            await _refuse(send, reply, scope["state"]["request_id"])


async def _refuse(send: Send, reply: Reply, request_id: str) -> None:
    head = {"content-type": reply.media_type, "content-length": str(len(reply.body)), "x-request-id": request_id, **reply.headers}
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in head.items()]
    await send({"type": "websocket.http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": reply.body})
