"""Take a stack's data away, keeping what is slow to fetch again (jars, archives, the virtual environment)."""

from __future__ import annotations

import shutil

from evergreen.local_stack.home import Home
from evergreen.local_stack.postgres import AWAY

OWNED = ("data", "airflow", "logs", "run", "credentials.json", "demo.json", "start.lock")
"""Only what a stack made is deleted, by name: a home may be a folder that holds other things."""


def wipe(home: Home) -> None:
    """Everything of a stopped stack but its cache, wherever its databases are."""
    shutil.rmtree(AWAY / home.digest, ignore_errors=True)
    if home.supervisor_socket.parent != home.run:
        shutil.rmtree(home.supervisor_socket.parent, ignore_errors=True)
    for name in OWNED:
        entry = home.path / name
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink(missing_ok=True)
