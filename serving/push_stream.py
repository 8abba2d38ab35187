"""Pushed lists over HTTP, as server-sent events."""

from __future__ import annotations

import asyncio
import random
import socket
from contextlib import aclosing
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from serving.auth.refusals import Unauthorized
from serving.bounded import TRANSPORT
from serving.list_answers import ListAnswers
from serving.metrics import Metrics, StreamEnd
from serving.push import SLOW_SECONDS, PushHub, Seat

KERNEL_BYTES = 32_768
"""Kept by the kernel of what a client has not read; as much again by this process."""
_AGAIN_MILLISECONDS = (500, 3_000)
"""After which a browser connects again: not all of a worker's at once."""
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


class ListStream(Response):
    """The seat is taken before, so that who is refused is told by a status; it is left in the end."""

    media_type = "text/event-stream"

    def __init__(self, hub: PushHub, seat: Seat, answers: ListAnswers, metrics: Metrics, *, after: str | None, seconds: float | None) -> None:
        self.status_code, self.background = 200, None
        self.init_headers(_HEADERS)
        self._hub, self._seat, self._answers, self._metrics = hub, seat, answers, metrics
        self._after, self._seconds = after, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport, end = narrowed(scope), StreamEnd.BROKEN
        watching = asyncio.create_task(self._watch(receive))
        self._metrics.stream_begun("sse")
        try:
            end = await self._run(send)
        except TimeoutError:
            end = StreamEnd.SLOW
            if transport is not None:
                transport.abort()
        finally:
            watching.cancel()
            self._hub.leave(self._seat)
            self._metrics.stream_ended("sse", end)
        if end is StreamEnd.DRAINED and transport is not None:
            transport.close()

    async def _run(self, send: Send) -> StreamEnd:
        """Raises TimeoutError for a client that does not read."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await _say(send, b"retry: %d\n\n" % random.randint(*_AGAIN_MILLISECONDS))
        try:
            async with aclosing(self._hub.lists(self._seat, self._after, self._seconds)) as lists:
                async for pushed in lists:
                    if pushed is None:
                        await _say(send, b":\n\n")
                    elif (body := await self._answers.pushed(self._seat.user, pushed, self._seat.principal)) is not None:
                        await _say(send, b"id: %b\nevent: recommendations\ndata: %b\n\n" % (pushed.id.encode(), body))
            end = self._hub.why(self._seat)
        except Unauthorized:
            end = StreamEnd.TOKEN
        if end is not StreamEnd.GONE:
            await _say(send, b"", more=False)
        return end

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._seat.leave()


def narrowed(scope: Scope) -> asyncio.Transport | None:
    """The connection, holding little that its client does not read. None: it is none of this server's."""
    transport: Any = scope.get("extensions", {}).get(TRANSPORT)
    if transport is None:
        return None
    transport.set_write_buffer_limits(high=KERNEL_BYTES)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)
    return transport  # type: ignore[no-any-return]


async def _say(send: Send, body: bytes, *, more: bool = True) -> None:
    async with asyncio.timeout(SLOW_SECONDS):
        await send({"type": "http.response.body", "body": body, "more_body": more})
