"""The short way of a request for a hot route through HTTP: read whole, answered in one write, without ASGI's messages in between.

Guarantee: it answers what `serving.middleware.Edge` answers as an ASGI application, header for header. Failure: a request that is anything but
plain: no length announced or a long one, `Expect`, HTTP/1.0, one that came before the last was answered, a client that does not read.
Remedy: it goes the long way, through uvicorn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from serving.bounded import BoundedProtocol
from serving.hot import Reply, Soon
from serving.middleware import Edge, Exchange, Found

LONGEST_BODY = 64 * 2**10
"""Who sends more is first looked at, then read."""


_CLOSE = (b"connection", b"close")


class _Cycle:
    """A request on the short way, as uvicorn looks at the one that is under way on a connection."""

    __slots__ = ("body", "disconnected", "found", "headers", "keep_alive", "response_complete", "response_started", "task")

    def __init__(self, found: Found, headers: Mapping[str, str]) -> None:
        self.found, self.headers = found, headers
        self.body = b""
        self.response_started = self.response_complete = self.disconnected = False
        self.keep_alive = True
        self.task: asyncio.Task[None] | None = None

    @property
    def message_event(self) -> _Cycle:
        return self

    def set(self) -> None:
        """Nobody waits."""


class HotLane(BoundedProtocol):
    def __init__(self, *args: Any, edge: Edge, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._edge = edge
        self._hot: _Cycle | None = None
        """The request on the short way that is being read."""
        self._idle_since: float | None = None
        """Of a connection whose last answer went the short way."""
        self._default: tuple[list[tuple[bytes, bytes]], bytes] = ([], b"")
        """What uvicorn puts on every answer, a new list each second, and its lines."""

    def on_message_begin(self) -> None:
        self._idle_since = None
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        cycle = self._plain()
        if cycle is None:
            super().on_headers_complete()
            return
        self.head_ended()
        self.cycle = cast("RequestResponseCycle", cycle)
        self._hot = cycle

    def on_body(self, body: bytes) -> None:
        if self._hot is None:
            super().on_body(body)
            return
        self.body_came(body)
        self._hot.body = self._hot.body + body if self._hot.body else body

    def on_message_complete(self) -> None:
        cycle, self._hot = self._hot, None
        if cycle is None:
            super().on_message_complete()
            return
        self.begun = None
        exchange = self._edge.begin(cast("dict[str, Any]", self.scope), cycle.headers)
        reply = self._edge.reply_at_once(exchange, cycle.found, cycle.body)
        if reply is not None:
            self._answer(cycle, exchange, reply)
        elif (soon := self._edge.reply_soon(exchange, cycle.found[0])) is not None:
            soon.answered.add_done_callback(lambda _: self._heard(cycle, exchange, soon))
        else:
            self._begin(cycle, exchange)

    def _heard(self, cycle: _Cycle, exchange: Exchange, soon: Soon) -> None:
        reply = self._edge.heard(exchange, soon)
        if reply is not None:
            self._answer(cycle, exchange, reply)
        else:
            self._begin(cycle, exchange)

    def _begin(self, cycle: _Cycle, exchange: Exchange) -> None:
        cycle.task = self.loop.create_task(self._reply(cycle, exchange))
        self.tasks.add(cycle.task)

    def end_if_slow(self, now: float, paused: float = 0.0) -> None:
        if self._idle_since is not None and now - self._idle_since > self.timeout_keep_alive and not self.transport.is_closing():
            self.transport.close()
        super().end_if_slow(now, paused)

    def _plain(self) -> _Cycle | None:
        """None: this one goes the long way."""
        found = self._edge.hot.get((self.parser.get_method().decode("ascii"), self.url.decode("latin-1")))
        if found is None or self.expect_100_continue or self.flow.write_paused or self.pipeline:
            return None
        if (self.cycle is not None and not self.cycle.response_complete) or self.parser.get_http_version() != "1.1":
            return None
        if self.parser.should_upgrade() or not self.parser.should_keep_alive():
            return None
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in self.headers}
        length = headers.get("content-length", "0" if found[0].method == "GET" else "")
        if "transfer-encoding" in headers or not length.isdigit() or int(length) > LONGEST_BODY:
            return None
        scope = cast("dict[str, Any]", self.scope)
        scope["method"], scope["path"], scope["query_string"] = found[0].method, self.url.decode("ascii"), b""
        return _Cycle(found, headers)

    async def _reply(self, cycle: _Cycle, exchange: Exchange) -> None:
        async def whole() -> bytes:
            return cycle.body

        try:
            self._answer(cycle, exchange, await self._edge.reply(exchange, cycle.found, whole))
        finally:
            self.tasks.discard(cast("asyncio.Task[None]", cycle.task))

    def _answer(self, cycle: _Cycle, exchange: Exchange, reply: Reply) -> None:
        cycle.response_started = cycle.response_complete = True
        try:
            if not cycle.disconnected and not self.transport.is_closing():
                self._write(cycle, exchange, reply)
        finally:
            self._edge.end(exchange, reply.status)
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._idle_since = time.monotonic()

    def _write(self, cycle: _Cycle, exchange: Exchange, reply: Reply) -> None:
        default = self.server_state.default_headers
        if self._default[0] is not default:
            self._default = (default, b"".join([b"%b: %b\r\n" % pair for pair in default]))
        lines = [self._default[1], *[b"%b: %b\r\n" % pair for pair in exchange.head]]
        if reply.headers:
            lines += [f"{name.lower()}: {value}\r\n".encode("latin-1") for name, value in reply.headers.items()]
        ends = _CLOSE in exchange.head
        if not cycle.keep_alive and not ends:
            lines.append(b"connection: close\r\n")
        kind = reply.media_type.encode("latin-1")
        start = b"%bcontent-length: %d\r\ncontent-type: %b\r\n" % (STATUS_LINE[reply.status], len(reply.body), kind)
        self.transport.write(b"%b%b\r\n%b" % (start, b"".join(lines), reply.body))
        if ends or not cycle.keep_alive:
            self.transport.close()
