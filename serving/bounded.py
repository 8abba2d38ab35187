"""The HTTP protocol of a worker, with an end to what a client may take its time for.

Guarantee: a request's head comes within REQUEST_SECONDS and HEAD_BYTES, its body at BODY_BYTES_PER_SECOND at least beyond that time, or the
connection ends; while a route does not read on, or this process itself stood still (a pause of the machine, SIGSTOP), its client's time stands
still. Failure: a client that sends a byte a second, or headers without end. Remedy: 408 or 431, and the connection is closed; `serving.worker`
looks every LOOK_SECONDS."""

from __future__ import annotations

import time
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

REQUEST_SECONDS = 15.0
LOOK_SECONDS = 1.0
BODY_BYTES_PER_SECOND = 20_000
"""Of what is uploaded for longer."""
HEAD_BYTES = 65_536
TRANSPORT = "evergreen.transport"
"""Among a scope's extensions: for who must end a connection whose client reads nothing."""


class BoundedProtocol(HttpToolsProtocol):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.begun: float | None = None
        """When the request that is being read began; None between two."""
        self._received = 0
        """Of its body."""
        self._head_bytes = -1
        """Of a head that is not complete; -1 outside of one."""

    def connection_made(self, transport: Any) -> None:
        self.begun = time.monotonic()
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._head_bytes >= 0:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self._end(b"431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        self.begun, self._head_bytes, self._received = time.monotonic(), 0, 0
        super().on_message_begin()

    def head_ended(self) -> None:
        self._head_bytes = -1

    def body_came(self, body: bytes) -> None:
        self._received += len(body)

    def on_headers_complete(self) -> None:
        self.head_ended()
        cast("dict[str, Any]", self.scope)["extensions"] = {TRANSPORT: self.transport}
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self.body_came(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self.begun = None
        super().on_message_complete()

    def end_if_slow(self, now: float, paused: float = 0.0) -> None:
        """`paused`: seconds since the last look in which this process read from nobody."""
        if self.begun is None:
            return
        self.begun = min(self.begun + paused, now)
        if self.flow.read_paused:
            self.begun, self._received = now, 0
        elif now - self.begun > REQUEST_SECONDS + self._received / BODY_BYTES_PER_SECOND:
            self._end(b"408 Request Timeout")

    def _end(self, status: bytes) -> None:
        answering = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        if not self.transport.is_closing():
            if not answering:
                self.transport.write(b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            self.transport.close()
        self.begun, self._head_bytes = None, -1
