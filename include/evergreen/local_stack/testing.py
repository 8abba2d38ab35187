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
from evergreen.local_stack.ports import BASE, OFFSET_STEP, Ports, taken
from evergreen.local_stack.progress import StartProgress
from evergreen.local_stack.start import start
from evergreen.local_stack.stop import stop
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
def stack(parts: set[str], home: Path | None = None, *, keep: bool = False) -> Iterator[Settings]:
    """The named parts (also the groups `airflow`, `workers`), migrated and with their topics; yields their settings.

    `home`: default a folder of its own with a short path, removed afterwards unless `keep`. The processes are ended either way."""
    folder = home or Path(tempfile.mkdtemp(prefix="eg-"))
    folder.mkdir(parents=True, exist_ok=True)
    if home is None:
        folder.chmod(0o755)  # the account Postgres runs under passes through
    try:
        with port_offset() as offset, StartProgress(Console(quiet=True), quiet=True) as progress:
            context = start(folder, progress, frozenset(parts), offset)
            yield context.settings
    finally:
        stop(Home(folder.resolve()))
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
