"""Real serving workers on one socket, as the supervisor starts them, and versions for them to serve."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any

import httpx

from evergreen.adapters import artifacts
from evergreen.adapters.golden import golden_rows
from evergreen.environment import CHECKOUT, child_environment
from evergreen.local_stack.home import Home
from evergreen.ports.model import FittedModel, ModelSpec
from evergreen.ports.registry import NewVersion
from evergreen.ports.versions import VersionRow, VersionStatus
from evergreen.settings import Settings
from tests.support.tokens import bearer

ENDED_SECONDS = 20.0
FIRST_DAY, LAST_DAY = date(2025, 4, 1), date(2025, 5, 31)


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.02)


@contextmanager
def background_worker(settings: Settings, name: str, *, ready_seconds: float, end_seconds: float) -> Iterator[None]:
    """A worker without a port, ready; told to end with the block."""
    ready, log = Home(settings.home).ready_file(name), settings.home / "logs" / f"{name}.log"
    ready.unlink(missing_ok=True)
    with log.open("ab") as out:
        command = [sys.executable, "-m", f"evergreen.workers.{name}"]
        process = subprocess.Popen(command, env=child_environment(settings.home), stdout=out, stderr=out, cwd=CHECKOUT)
    try:
        until(ready.exists, ready_seconds)
        yield
    finally:
        process.terminate()
        process.wait(end_seconds)


def simulated_table() -> Any:
    """Feature rows of two simulated months, enough to fit what a worker serves."""
    from evergreen.domains.videos.features import build_features
    from evergreen.domains.videos.simulator import simulate

    return build_features(simulate(FIRST_DAY, LAST_DAY, 3), "KR")


def trained_version(model: str, version: int, *, run_id: str | None = None, uri: str = "", status: VersionStatus = "approved") -> VersionRow:
    """Of a version that was trained on it."""
    trained = datetime(2025, 6, 1, tzinfo=UTC)
    return VersionRow(model, version, None, run_id or f"run-{version}", uri, "test", FIRST_DAY, LAST_DAY, 900, trained, status)


def place_version(settings: Settings, spec: ModelSpec, fitted: FittedModel, table: Any, version: int, *, golden_of: FittedModel) -> None:
    """Signed and on this disk, as a worker keeps it after its first download. `golden_of`: whose predictions its golden rows hold."""
    folder, key = settings.home / "data" / "models" / spec.name / str(version), artifacts.signing_key(settings.signing_key.get_secret_value())
    golden = golden_rows(NewVersion(str(version), spec, golden_of, table, {}, {}, {}, {}))
    artifacts.save(folder, fitted, identity=f"{spec.name}@{version}", key=key, golden=golden)


@dataclass
class Workers:
    settings: Settings
    listener: socket.socket
    environment: Mapping[str, str] = field(default_factory=dict)
    program: Sequence[str] = ("-m", "serving")
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _begins: dict[str, int] = field(default_factory=dict)
    """Where a worker's log was when these workers first had one of its name: earlier ones wrote into the same file."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    @cached_property
    def headers(self) -> dict[str, str]:
        """A token."""
        return bearer(self.settings)

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=30, headers=self.headers)

    def start(self, name: str) -> subprocess.Popen[bytes]:
        log = (self.settings.home / "logs" / f"{name}.log").open("ab")
        self._begins.setdefault(name, log.tell())
        environment = child_environment(self.settings.home) | {"EVERGREEN_SERVICE": name} | dict(self.environment)
        process = subprocess.Popen(
            [sys.executable, *self.program], stdin=self.listener.fileno(), stdout=log, stderr=log, env=environment, cwd=self.settings.home
        )
        log.close()
        self.processes[name] = process
        return process

    def pids(self) -> list[int]:
        return [process.pid for process in self.processes.values()]

    def signal(self, name: str, number: signal.Signals) -> None:
        os.kill(self.processes[name].pid, number)

    def replace(self, name: str) -> None:
        """kill -9, and another in its place."""
        self.processes[name].kill()
        self.processes[name].wait()
        self.start(name)

    def log_of(self, name: str) -> str:
        return (self.settings.home / "logs" / f"{name}.log").read_bytes()[self._begins[name] :].decode()

    def logged(self, name: str, *events: str) -> list[dict[str, Any]]:
        """In order."""
        found = [json.loads(line) for line in self.log_of(name).splitlines() if line.startswith("{")]
        return [each for each in found if each["event"] in events]

    def answers(self) -> set[str]:
        """Worker ids that answer /readyz: each connection goes to whoever takes it first."""
        found = set()
        for _ in range(20):
            try:
                answer = httpx.get(f"{self.url}/readyz", timeout=5)
            except httpx.TransportError:
                continue
            if answer.status_code == 200:
                found.add(answer.json()["worker"].split(":")[0])
        return found

    def end(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
        for process in self.processes.values():
            try:
                process.wait(ENDED_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def workers(
    settings: Settings,
    names: tuple[str, ...] = ("serving-00", "serving-01"),
    environment: Mapping[str, str] | None = None,
    program: Sequence[str] = ("-m", "serving"),
) -> Iterator[Workers]:
    """Started, not awaited."""
    (settings.home / "logs").mkdir(exist_ok=True)
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        found = Workers(settings, listener, environment or {}, program)
        try:
            for name in names:
                found.start(name)
            yield found
        finally:
            found.end()
