"""Streamlit's document, which tells the browser where its server is.

Left to itself a browser that comes by a page's own address (`/system`) first looks for the server under that address, is refused, and has an
error in its console."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEAD = b"<head>"
_TOLD = b"<head><script>window.__streamlit = {BACKEND_BASE_URL: location.origin}</script>"


async def send_document(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """As `app` answers, with its length said anew; an answer without a head goes through as it is."""
    plain = [(name, value) for name, value in scope["headers"] if name not in (b"accept-encoding", b"if-none-match", b"if-modified-since")]
    start: Message = {}
    body = b""

    async def kept(message: Message) -> None:
        nonlocal body
        if message["type"] == "http.response.start":
            start.update(message)
            return
        body += message.get("body", b"")
        if not message.get("more_body", False):
            told = body.replace(_HEAD, _TOLD, 1)
            headers = [(name, value) for name, value in start["headers"] if name.lower() not in (b"content-length", b"etag")]
            await send({**start, "headers": [*headers, (b"content-length", str(len(told)).encode())]})
            await send({"type": "http.response.body", "body": told})

    await app({**scope, "headers": plain}, receive, kept)
