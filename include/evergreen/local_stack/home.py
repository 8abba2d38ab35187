"""Where a stack keeps its state, logs, secrets and sockets; and which home a command acts on."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from evergreen.settings import CHECKOUT, chosen_home, stack_env_file

UNIX_SOCKET_LIMIT = 100
"""sun_path holds 108 bytes; supervisor adds a suffix while it binds."""


@dataclass(frozen=True)
class Home:
    path: Path

    @property
    def run(self) -> Path:
        """Of this start only: endpoints, sockets, pids, readiness. Emptied at the next start."""
        return self.path / "run"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def digest(self) -> str:
        return hashlib.sha256(str(self.path).encode()).hexdigest()[:12]

    @property
    def env_file(self) -> Path:
        return stack_env_file(self.path)

    @property
    def credentials_file(self) -> Path:
        return self.path / "credentials.json"

    @property
    def manifest_file(self) -> Path:
        """What was started: parts, ports, which parts are external. Present while a stack runs (or died without `down`)."""
        return self.run / "stack.json"

    @property
    def lock_file(self) -> Path:
        return self.path / "start.lock"

    @property
    def supervisor_config(self) -> Path:
        return self.run / "supervisord.conf"

    @property
    def supervisor_pid_file(self) -> Path:
        return self.run / "supervisord.pid"

    @property
    def supervisor_socket(self) -> Path:
        """In the home, or, where that path is too long for a Unix socket, in a folder of the temporary directory only this user enters."""
        here = self.run / "supervisor.sock"
        if len(str(here)) <= UNIX_SOCKET_LIMIT:
            return here
        return Path(tempfile.gettempdir()) / f"evergreen-{os.getuid()}-{self.digest}" / "supervisor.sock"

    def pid_file(self, service: str) -> Path:
        return self.run / "pids" / service

    def ready_file(self, service: str) -> Path:
        return self.run / f"{service}.ready"

    def step_file(self, step: str) -> Path:
        """Present once this start has done the step, for the parts that wait for it."""
        return self.run / "steps" / step

    def stamp_file(self, name: str) -> Path:
        """Survives starts: which version of a schema the data has."""
        return self.data / "stamps" / name

    def make(self) -> None:
        for folder in (self.run / "pids", self.run / "steps", self.logs, self.data / "stamps"):
            folder.mkdir(parents=True, exist_ok=True)
        self.supervisor_socket.parent.mkdir(mode=0o700, exist_ok=True)


def default_homes() -> list[Path]:
    """The checkout's two homes: `make up`'s, then the demo's."""
    return [CHECKOUT / ".evergreen", CHECKOUT / ".evergreen" / "demo"]


def find_home() -> tuple[Path, str]:
    """The home a command acts on, and a notice for the user (empty where the choice needs no word).

    Named by the caller, else the checkout's running stack; with two running, `make up`'s."""
    named = chosen_home()
    if named is not None:
        return named, ""
    running = [home for home in default_homes() if Home(home).manifest_file.exists()]
    if len(running) == 2:
        return running[0], f"two stacks run: acting on {running[0]}; for the demo's use --home {running[1]}"
    return (running[0] if running else default_homes()[0]), ""


def write_private(path: Path, text: str) -> None:
    """Write a file only this user reads, whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    partial.replace(path)
