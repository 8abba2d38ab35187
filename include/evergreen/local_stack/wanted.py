"""How many processes of each part this home wants: a number in its manifest, changed under a lock.

Guarantee: whoever starts or stops processes to match (a start of a running stack, the guardian, the scaler) reads the number and acts on it
under one lock, so that the newest wish wins and none acts on an older one; the file changes as a whole. After `down` has taken the manifest
away nobody brings it back. Failure: a process dies between the wish and the act. Remedy: the wish stands; the next who comes by makes it true."""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from evergreen.core.errors import StackError
from evergreen.local_stack.home import Home, write_private
from evergreen.local_stack.processes import await_true
from evergreen.local_stack.supervision import DOWN, Supervisor

LOCK_SECONDS = 10.0
"""Each holder makes a few calls to the supervisor and lets go."""


def wanted_processes(home: Home) -> dict[str, int]:
    """As the manifest says. Raises `StackError` where no stack runs."""
    try:
        return dict(json.loads(home.manifest_file.read_text())["processes"])
    except FileNotFoundError:
        raise StackError(f"no stack runs in {home.path}; start one with `make up`") from None


def want(home: Home, part: str, number: int) -> None:
    """From now on this home wants so many processes of a part it has; `converge` makes it so."""
    with _lock(home):
        if not home.manifest_file.exists():
            raise StackError(f"no stack runs in {home.path}; start one with `make up`")
        manifest = json.loads(home.manifest_file.read_text())
        manifest["processes"] |= {part: number}
        write_private(home.manifest_file, json.dumps(manifest))


def want_nothing(home: Home) -> None:
    """Nobody starts a process of this home any more: the guardian reads the missing manifest as `do not bring it back`."""
    with contextlib.ExitStack() as held:
        if home.manifest_file.exists():
            with contextlib.suppress(StackError):  # a holder that hangs must not keep a stack from being stopped
                held.enter_context(_lock(home))
        home.manifest_file.unlink(missing_ok=True)


def converge(home: Home, states: frozenset[str] = DOWN, part: str | None = None) -> bool:
    """A step towards what is wanted, of one part or of all; True when nothing is left to do."""
    with _lock(home):
        wanted = wanted_processes(home)
        return Supervisor(home).converge(wanted if part is None else {part: wanted[part]}, states)


@contextmanager
def _lock(home: Home) -> Iterator[None]:
    with (home.run / "wanted.lock").open("a") as file:
        if not await_true(lambda: _locked(file), LOCK_SECONDS):
            raise StackError(f"another process has been changing what {home.path} wants for {LOCK_SECONDS:.0f} s; try again")
        yield


def _locked(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
