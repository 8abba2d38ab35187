"""A supervisor that is stuck or ending is named within seconds, not waited for."""

from __future__ import annotations

import threading
import xmlrpc.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import UnixStreamServer

import pytest

from evergreen.core.errors import StackError
from evergreen.local_stack import status, supervision
from evergreen.local_stack.home import Home
from evergreen.local_stack.supervision import ANSWER_SECONDS, Supervisor
from evergreen.local_stack.testing import short_home
from evergreen.local_stack.unix_http import UnixConnection


@pytest.fixture
def home() -> Iterator[Home]:
    with short_home() as folder:
        made = Home(folder)
        made.make()
        yield made


@contextmanager
def answering(home: Home, answer: Callable[[], bytes]) -> Iterator[None]:
    """A supervisor that answers every call alike."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = answer()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

        def address_string(self) -> str:
            return "socket"

    with UnixStreamServer(str(home.supervisor_socket), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        try:
            yield
        finally:
            server.shutdown()
            serving.join()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """The limits that were asked for; a tenth of a second is waited."""
    asked: list[float | None] = []

    def connect(path: Path, seconds: float | None) -> UnixConnection:
        asked.append(seconds)
        return UnixConnection(path, 0.1)

    monkeypatch.setattr(supervision, "UnixConnection", connect)
    return asked


def test_a_supervisor_stopped_by_a_signal_does_not_hold_its_callers(home: Home, impatient: list[float | None]) -> None:
    stuck = threading.Event()
    with answering(home, lambda: str(stuck.wait(10)).encode()):
        assert Supervisor(home).answers() is False
        with pytest.raises(StackError, match="does not answer"):
            Supervisor(home).processes()
        with pytest.raises(StackError, match="does not answer"):
            Supervisor(home).stop("kafka:kafka")
        assert impatient == [ANSWER_SECONDS, ANSWER_SECONDS, None]  # a stop that is waited for may take its time
        assert status._processes(home) is None
        stuck.set()


def test_a_supervisor_that_is_ending_is_no_traceback(home: Home) -> None:
    with answering(home, lambda: xmlrpc.client.dumps(xmlrpc.client.Fault(6, "SHUTDOWN_STATE")).encode()):
        assert Supervisor(home).answers() is False
        with pytest.raises(StackError, match="is ending"):
            Supervisor(home).shutdown()
        with pytest.raises(StackError, match="is ending"):
            Supervisor(home).stop("kafka:kafka", wait=False)


def test_another_fault_of_the_supervisor_is_not_hidden(home: Home) -> None:
    with answering(home, lambda: xmlrpc.client.dumps(xmlrpc.client.Fault(1, "UNKNOWN_METHOD")).encode()), pytest.raises(xmlrpc.client.Fault):
        Supervisor(home).processes()


def test_an_answer_is_read(home: Home) -> None:
    with answering(home, lambda: xmlrpc.client.dumps(({"statename": "RUNNING"},), methodresponse=True).encode()):
        assert Supervisor(home).answers() is True
