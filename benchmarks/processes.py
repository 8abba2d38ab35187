"""Programs that are measured: started here, awaited, ended with everything they started."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from evergreen.environment import CHECKOUT

POLL_SECONDS = 0.002
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


@dataclass(frozen=True)
class Program:
    name: str
    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def family(self) -> list[psutil.Process]:
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]

    def cpu_seconds(self) -> float:
        """Used so far, by all its threads and processes."""
        return sum(times.user + times.system for times in (process.cpu_times() for process in self.family()))

    def megabytes(self) -> tuple[float, float]:
        """Resident, and with what is shared divided among those who share it (RSS, PSS); of its largest process: the one that answers."""
        told = [process.memory_full_info() for process in self.family()]
        return max(one.rss for one in told) / 2**20, max(one.pss for one in told) / 2**20


@contextmanager
def running(name: str, command: Sequence[str], port: int, environment: Mapping[str, str], folder: Path, *, inherit: int | None = None) -> Iterator[Program]:
    """Started, not awaited. `inherit`: a listening socket that becomes its file 0."""
    log = folder / f"{name}.log"
    with log.open("ab") as file:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL if inherit is None else inherit,
            stdout=file,
            stderr=file,
            env=dict(environment),
            cwd=CHECKOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
    try:
        yield Program(name, process, port, log)
    finally:
        _end(process)


def _end_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _end(process: subprocess.Popen[bytes]) -> None:
    """With the group it leads."""
    for number, seconds in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 10.0)):
        try:
            os.killpg(process.pid, number)
            process.wait(seconds)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
    process.poll()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def first_answer(program: Program, request: bytes, seconds: float) -> tuple[float, bytes]:
    """(the moment on `time.perf_counter`, the answer) of the first answer with status 200. Raises TimeoutError, or RuntimeError when it ended."""
    deadline, pause = time.perf_counter() + seconds, POLL_SECONDS
    while time.perf_counter() < deadline:
        answer = _asked(program.port, request, deadline - time.perf_counter())
        if answer.startswith(b"HTTP/1.1 200"):
            return time.perf_counter(), answer.partition(b"\r\n\r\n")[2]
        if program.process.poll() is not None:
            raise RuntimeError(f"{program.name} ended with {program.process.returncode}: {program.log.read_text(errors='replace')[-800:]}")
        time.sleep(pause)
    raise TimeoutError(f"{program.name} gave no answer within {seconds:.0f} s: {program.log.read_text(errors='replace')[-800:]}")


def _asked(port: int, request: bytes, seconds: float) -> bytes:
    """One request on a connection of its own; empty when nobody listens or the connection is reset."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=max(seconds, 0.01)) as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(65536), b""))
    except OSError:
        return b""


def post(path: str, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    """A whole request, after whose answer the server closes."""
    said = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-type: application/json\r\n{said}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body
