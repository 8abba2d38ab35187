"""One process, one event loop, on a socket that several workers share.

Guarantee: SIGTERM drops no request that was accepted: it stops accepting (the socket stays open in the other workers), answers what comes
on open connections with `Connection: close`, and ends when they are gone or after DRAIN_SECONDS. Told so before it has started it takes no
connection at all."""

from __future__ import annotations

import asyncio
import resource
import socket
import time
from collections.abc import Awaitable, Callable
from functools import partial
from types import FrameType
from typing import Any

import structlog
import uvicorn

from serving import bounded
from serving.app import App
from serving.dependencies import Serving
from serving.hot_lane import HotLane

DRAIN_SECONDS = 3.0
KEEP_ALIVE_SECONDS = 75
"""Longer than the client libraries' own: who closes an idle connection first must not be the server, in the moment a request is under way."""
BACKLOG = 1024
SOCKET_BYTES = 1024
"""Of a client's message: our sockets take none."""
MOST_FILES = 65_536
log = structlog.get_logger(__name__)


def handed_over() -> socket.socket | None:
    """The listening socket the supervisor hands to each worker as file 0, or None when file 0 is something else.

    It comes without TCP_NODELAY, and accepted connections inherit it: 43 ms a request instead of 0.4."""
    try:
        found = socket.socket(fileno=0)
    except OSError:
        return None
    if found.family not in (socket.AF_INET, socket.AF_INET6) or not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        found.detach()
        return None
    return _prepared(found)


def listening(host: str, port: int) -> socket.socket:
    """A socket of our own. Raises OSError when the port is taken."""
    own = socket.create_server((host, port), backlog=BACKLOG, family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    return _prepared(own)


def _prepared(found: socket.socket) -> socket.socket:
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    found.setblocking(False)
    return found


class Worker(uvicorn.Server):
    def __init__(self, app: App, serving: Serving) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="uvloop",
                http=partial(HotLane, edge=app.edge),  # type: ignore[arg-type] # a class to uvicorn, which only calls it
                ws=_socket_protocol,  # type: ignore[arg-type] # as above
                ws_max_size=SOCKET_BYTES,
                ws_per_message_deflate=False,  # it would hold a hundred kilobytes for each connection
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # who speaks for whom decide `serving.auth.peers` and its setting, not a header from loopback
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=5,
            )
        )
        self._serving = serving
        self._drain_asked = False
        self._drain_until: float | None = None
        self._looked = time.monotonic()
        self._sockets: list[socket.socket] = []

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self._sockets = sockets if sockets is not None else []
        await super().serve(self._sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """First signal: drain. Second: end now."""
        if self._drain_asked:
            self.should_exit = True
        if not self.started:
            self._sockets.clear()  # uvicorn would still begin to accept, and end what it accepted
            self._serving.listener.give_way()
        self._drain_asked = True

    async def on_tick(self, counter: int) -> bool:
        self._serving.metrics.flush()
        connections = len(self.server_state.connections)
        if counter % 10 == 0:
            self._look_for_slow_ones(time.monotonic())
            self._serving.metrics.connections.set(connections)
            self._serving.metrics.used()
        if self._drain_asked and self._drain_until is None:
            log.info("draining", connections=connections)
            self._drain_until = time.monotonic() + DRAIN_SECONDS
            for server in self.servers:
                server.close()
            await self._serving.drain()
        if self._drain_until is not None and (not connections or time.monotonic() > self._drain_until):
            self.should_exit = True
        return await super().on_tick(counter)

    def _look_for_slow_ones(self, now: float) -> None:
        paused, self._looked = max(0.0, now - self._looked - bounded.LOOK_SECONDS), now
        for connection in list(self.server_state.connections):
            if isinstance(connection, bounded.BoundedProtocol):
                connection.end_if_slow(now, paused)


def _socket_protocol(*args: Any, **kwargs: Any) -> asyncio.Protocol:
    from serving.push_socket import SocketProtocol  # a worker starts without it; FastAPI's application brings it

    return SocketProtocol(*args, **kwargs)


def allow_many_files() -> None:
    """Each connection is one: as many as the system lets this process have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def run(build: Callable[[], Awaitable[Worker]], listener: socket.socket) -> None:
    import uvloop

    allow_many_files()

    async def main() -> None:
        worker = await build()
        await worker.serve(sockets=[listener])

    uvloop.run(main())
