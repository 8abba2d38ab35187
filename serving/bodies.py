"""A request's body on its way in, bounded, and an answer on its way out, with the edge's headers: between ASGI and `serving.middleware`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Send

from evergreen.core.errors import InvalidRequest
from serving.hot import Reply
from serving.problems import TOO_LARGE

MAX_BODY_BYTES = 2**20
_DISCARD_BYTES = 8 * 2**20
"""Of a body that is too large, read on so that the sender hears why instead of a reset connection."""


_EVENTS = b"text/event-stream"


class BodyTooLarge(HTTPException):
    """Raised to whoever reads the body; the rest of it is read and thrown away by then."""

    def __init__(self) -> None:
        super().__init__(TOO_LARGE.status)


class Answering:
    """Passes the answer on with the edge's headers; remembers its status."""

    def __init__(self, send: Send, begun: Callable[[int], None]) -> None:
        """`begun(status)` is told of a stream."""
        self._send, self._begun = send, begun
        self.head: list[tuple[bytes, bytes]] = []
        self.status: int | None = None
        self.streams = False
        """It goes on for as long as its client wants: what it took to answer is what it took to begin."""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = {name for name, _ in self.head}
            message["headers"] = [*(pair for pair in message.get("headers", ()) if pair[0] not in own), *self.head]
            if any(name == b"content-type" and value.startswith(_EVENTS) for name, value in message["headers"]):
                self.streams = True
                self._begun(message["status"])
        await self._send(message)

    async def reply(self, reply: Reply) -> None:
        self.status = reply.status
        headers = [(b"content-length", str(len(reply.body)).encode()), (b"content-type", reply.media_type.encode("latin-1")), *self.head]
        if reply.headers:
            headers += [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers.items()]
        await self._send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": reply.body})


class Body:
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
