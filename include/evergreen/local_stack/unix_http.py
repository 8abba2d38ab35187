"""HTTP over a Unix socket, with a time limit."""

from __future__ import annotations

import socket
from http.client import HTTPConnection
from pathlib import Path


class UnixConnection(HTTPConnection):
    """The supervisor package's own has no limit: a supervisor that a signal has stopped would hold its callers for ever.
    Raises TimeoutError, an OSError, after `seconds` without an answer; None waits."""

    def __init__(self, path: Path, seconds: float | None) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
