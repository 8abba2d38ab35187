"""Take a stack's data away, keeping what is slow to fetch again (jars, archives, the virtual environment)."""

from __future__ import annotations

import shutil

from evergreen.local_stack.home import Home
from evergreen.local_stack.postgres import AWAY

KEPT = frozenset({"cache"})


def wipe(home: Home, kept: frozenset[str] = KEPT) -> None:
    """Everything of a stopped stack except `kept` and homes inside it, wherever its databases are."""
    shutil.rmtree(AWAY / home.digest, ignore_errors=True)
    if home.supervisor_socket.parent != home.run:
        shutil.rmtree(home.supervisor_socket.parent, ignore_errors=True)
    for entry in home.path.iterdir() if home.path.is_dir() else ():
        if entry.name in kept or (entry / "credentials.json").exists():
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
