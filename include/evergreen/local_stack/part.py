"""What a supervised program is: how it starts, what it waits for, when it is ready."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from evergreen.local_stack.credentials import Credentials
from evergreen.local_stack.home import Home
from evergreen.local_stack.ports import Ports
from evergreen.settings import Settings


@dataclass(frozen=True)
class StackContext:
    """What every part is built from."""

    home: Home
    ports: Ports
    credentials: Credentials
    settings: Settings
    external: frozenset[str] = frozenset()
    """Parts the caller runs himself and named by URL: they are used, not started."""

    @property
    def postgres_address(self) -> str:
        """HOST:PORT of the Postgres that holds the databases, ours or the caller's."""
        address = urlsplit(self.settings.postgres.admin_dsn.get_secret_value())
        return f"{address.hostname}:{address.port or 5432}"

    def step(self, name: str) -> str:
        """A condition: this start has done the step."""
        return f"file:{self.home.step_file(name)}"

    def listening(self, part: str) -> str:
        """A condition: the part accepts connections (an external one is taken to)."""
        return "" if part in self.external else f"tcp:{self.ports.of(part)}"


@dataclass(frozen=True)
class Part:
    name: str
    command: tuple[str, ...]
    probe: Callable[[], bool]
    """Whether it does its work now: a query answered, a message acknowledged; never just an open port. May take a second, never hangs."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Over `child_environment`."""
    after: tuple[str, ...] = ()
    """Conditions its launcher waits for."""
    url: str | None = None
    stop_signal: str = "TERM"
    stop_seconds: int = 10
    settle_seconds: int = 10
    """An exit within this counts as a failed start: the supervisor backs off and, after several, gives up."""
    uid: int | None = None
    gid: int | None = None
    socket: str | None = None
    """A listening socket the supervisor owns and hands to each process as file 0."""
    processes: int = 1
    """At most."""
    first: int = 1
    """A start begins with so many of them."""
    directory: Path | None = None

    @property
    def many(self) -> bool:
        """Whether it has several processes, each with a name of its own, `serving-00`."""
        return self.socket is not None or self.processes > 1
