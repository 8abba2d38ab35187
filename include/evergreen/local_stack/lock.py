"""One winner per home: locks the kernel drops when their holder ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evergreen.core.errors import StackError
from evergreen.local_stack.home import Home


class StartUnderWay(StackError):
    """Another start or demo of this home holds the lock."""

    exit_code = 4


@contextmanager
def start_lock(home: Home) -> Iterator[None]:
    """Held while a start is under way, or what must not meet one; the holder's pid stands in the file. Raises `StartUnderWay`."""
    with _held(home.lock_file, f"another start of {home.path}", "`make status` shows how far it is"):
        yield


@contextmanager
def demo_lock(home: Home) -> Iterator[None]:
    """Held for a whole demo, long after its start. Raises `StartUnderWay`."""
    with _held(home.path / "demo.lock", f"another demo in {home.path}", "wait for its end, or give this one its own folder: `evergreen --home FOLDER demo`"):
        yield


@contextmanager
def _held(path: Path, what: str, remedy: str) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise StartUnderWay(f"{what} is under way (pid {file.read().strip() or 'unknown'}); {remedy}") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
        file.truncate(0)
