"""A web server on loopback that writes down what it is sent and answers as a test wants."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Receiver:
    port: int = 0
    status: int = 204
    location: str = ""
    hang: threading.Event = field(default_factory=threading.Event)
    drips: bool = False
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    """Path, headers, body."""

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}/hook?team=ops"


class Handler(BaseHTTPRequestHandler):
    kept: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.kept.requests.append((self.path, dict(self.headers), body))
        if self.kept.drips:
            self._drip()
            return
        self.kept.hang.wait(30)
        self.send_response(self.kept.status)
        if self.kept.location:
            self.send_header("Location", self.kept.location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _drip(self) -> None:
        try:
            while not self.kept.hang.wait(0.05):
                self.wfile.write(b"H")
        except OSError:
            return

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def receiver(*, hangs: bool = False, drips: bool = False, status: int = 204, location: str = "", tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """`hangs`: takes the request and says nothing until the end. `drips`: a header byte now and then."""
    kept = Receiver(status=status, location=location, drips=drips)
    if not hangs:
        kept.hang.set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Of", (Handler,), {"kept": kept}))
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    kept.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        kept.hang.set()
        server.shutdown()
        server.server_close()
        thread.join()
