"""Real parts for tests: started in a temporary home on ports of their own, ended with everything they left.

with stack({"postgres", "kafka"}) as settings:
    psycopg2.connect(settings.postgres.dsn.get_secret_value())
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from evergreen.core.errors import StackError
from evergreen.local_stack.home import Home
from evergreen.local_stack.ownership import claim
from evergreen.local_stack.ports import BASE, OFFSET_STEP, Ports, taken
from evergreen.local_stack.processes import record_self
from evergreen.local_stack.progress import StartProgress
from evergreen.local_stack.start import start
from evergreen.local_stack.stop import stop
from evergreen.local_stack.wipe import wipe
from evergreen.settings import Settings

OFFSETS = range(1_000, 23_000, OFFSET_STEP)
"""Below the ports the system hands out for outgoing connections, above those a user's own stack takes."""


@contextmanager
def port_offset() -> Iterator[int]:
    """A range of ports no other test run on this machine uses until the block ends."""
    folder = Path(tempfile.gettempdir()) / f"evergreen-test-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    start_at = os.getpid() % len(OFFSETS)
    for offset in [*OFFSETS[start_at:], *OFFSETS[:start_at]]:
        with (folder / str(offset)).open("w") as claim:
            try:
                fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            if not taken(Ports(offset), set(BASE)):
                yield offset
                return
    raise StackError("no range of ports is free for tests")


@contextmanager
def short_home() -> Iterator[Path]:
    """A folder for a stack, with a path short enough for Unix sockets; whatever runs in it is ended, then it is removed."""
    folder = Path(tempfile.mkdtemp(prefix="eg-"))
    folder.chmod(0o755)  # the account Postgres runs under passes through
    claim(Home(folder), "test")
    try:
        yield folder
    finally:
        stop(Home(folder))
        wipe(Home(folder))
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def stack(parts: set[str], home: Path | None = None) -> Iterator[Settings]:
    """The named parts (also the groups `airflow`, `workers`), migrated and with their topics; yields their settings.
    It ends with this process, however that ends.

    `home`: default one of its own that is removed afterwards; a given one is kept. The processes are ended either way."""
    if home is None:
        with short_home() as folder, stack(parts, folder) as settings:
            yield settings
        return
    try:
        with port_offset() as offset, StartProgress(Console(quiet=True), quiet=True) as progress:
            settings = start(home, progress, frozenset(parts), offset, by="test").settings
            record_self(Home(home).owner_file)
            yield settings
    finally:
        stop(Home(home))
