"""Take a stack's data away, keeping what is slow to fetch again (jars, archives, the virtual environment)."""

from __future__ import annotations

import shutil

from evergreen.local_stack.home import Home
from evergreen.local_stack.ownership import OWNED, maker
from evergreen.local_stack.postgres import AWAY

FILES = ("credentials.json", "demo.json", "token_keys")


def wipe(home: Home) -> None:
    """Everything of a stopped stack but its cache, wherever its databases are. Only what a stack made is deleted, by name: a home may be a
    folder that holds other things. Raises `StackError` where nothing says that a stack made it.

    The locks stay: a file that is deleted while it is held locks nobody out any more. The mark goes last, so that a wipe that breaks off
    can be repeated."""
    if maker(home) is None:
        return
    shutil.rmtree(AWAY / home.digest, ignore_errors=True)
    if home.supervisor_socket.parent != home.run:
        shutil.rmtree(home.supervisor_socket.parent, ignore_errors=True)
    for name in (*OWNED, *FILES, home.mark_file.name):
        entry = home.path / name
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink(missing_ok=True)
