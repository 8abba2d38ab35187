"""The dashboard's server in a thread of the test's process, on a free port: real HTTP, and what it talks to can be put in its place."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from dashboard.__main__ import OPTIONS
from dashboard.server import create_app
from tests.support.worker_processes import until


@contextmanager
def dashboard_server() -> Iterator[str]:
    """Its address."""
    server = uvicorn.Server(uvicorn.Config(create_app(), host="127.0.0.1", port=0, **OPTIONS))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until(lambda: server.started)
        [listening] = server.servers[0].sockets
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
