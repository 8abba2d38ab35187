"""Where a stack keeps its state, logs, secrets and sockets. Imports nothing heavy: every part's launcher pays for it."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

UNIX_SOCKET_LIMIT = 100
"""sun_path holds 108 bytes; supervisor adds a suffix while it binds."""


@dataclass(frozen=True)
class Home:
    path: Path

    def __post_init__(self) -> None:
        # Processes are known by this path, letter by letter.
        object.__setattr__(self, "path", self.path.resolve())

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
        """Endpoints and secrets for every process of this home (mode 0600); `evergreen.settings` reads it."""
        return self.run / "stack.env"

    @property
    def credentials_file(self) -> Path:
        return self.path / "credentials.json"

    @property
    def manifest_file(self) -> Path:
        """What was started: parts, ports, which parts are external. Present while a stack runs (or died without `down`)."""
        return self.run / "stack.json"

    @property
    def mark_file(self) -> Path:
        """Says that this folder is a stack's, and what made it: see `ownership`."""
        return self.path / ".evergreen-home"

    @property
    def lock_file(self) -> Path:
        return self.path / "start.lock"

    @property
    def supervisor_config(self) -> Path:
        return self.run / "supervisord.conf"

    @property
    def supervisor_socket(self) -> Path:
        """In the home, or, where that path is too long for a Unix socket, in a folder of the temporary directory only this user enters."""
        here = self.run / "supervisor.sock"
        if len(str(here)) <= UNIX_SOCKET_LIMIT:
            return here
        return Path(tempfile.gettempdir()) / f"evergreen-{os.getuid()}-{self.digest}" / "supervisor.sock"

    def pid_file(self, service: str) -> Path:
        return self.run / "pids" / service

    @property
    def owner_file(self) -> Path:
        """The process a temporary stack belongs to (a test run): the stack ends with it."""
        return self.run / "owner"

    def plan_file(self, part: str) -> Path:
        """How the part is launched; holds secrets, mode 0600."""
        return self.run / "plans" / f"{part}.json"

    def ready_file(self, service: str) -> Path:
        return self.run / f"{service}.ready"

    def step_file(self, step: str) -> Path:
        """Present once this start has done the step, for the parts that wait for it."""
        return self.run / "steps" / step

    def stamp_file(self, name: str) -> Path:
        """Survives starts: which version of a schema the data has."""
        return self.data / "stamps" / name

    def make(self) -> None:
        for folder in (self.run / "pids", self.run / "plans", self.run / "steps", self.logs, self.data / "stamps"):
            folder.mkdir(parents=True, exist_ok=True)
        self.supervisor_socket.parent.mkdir(mode=0o700, exist_ok=True)


def write_private(path: Path, text: str) -> None:
    """Write a file only this user reads, whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    partial.replace(path)
