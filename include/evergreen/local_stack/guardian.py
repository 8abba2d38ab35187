"""Watches the supervisor, which watches everything else.

Guarantee: a killed supervisor is back within seconds. Failure: nothing restarts the parts of a stack whose supervisor is gone. Remedy: this
process, itself supervised, waits for its parent to disappear and starts the supervisor again; each part's launcher then ends the orphan of
its own before it starts. Killed together with the supervisor it is not: then `make up` takes over the same way.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from threading import Event

from evergreen.environment import child_environment
from evergreen.local_stack.home import Home
from evergreen.local_stack.part import Part, StackContext
from evergreen.local_stack.processes import await_true, recorded
from evergreen.local_stack.supervision import Supervisor, start_supervisor
from evergreen.local_stack.wanted import converge

NAME = "guardian"
POLL_SECONDS = 0.5
ANSWER_SECONDS = 20.0


def part(context: StackContext) -> Part:
    return Part(name=NAME, command=(sys.executable, "-m", "evergreen.local_stack.guardian", str(context.home.path)), probe=lambda: True, settle_seconds=1)


def guard(home: Home) -> None:
    parent = os.getppid()
    pause = Event()
    # The supervisor cannot start some of a part's processes and not the others by itself.
    await_true(Supervisor(home).answers, ANSWER_SECONDS)
    converge(home, frozenset({"STOPPED"}))
    while os.getppid() == parent:
        if home.owner_file.exists() and recorded(home.owner_file) is None:
            end_ownerless(home)
            return
        pause.wait(POLL_SECONDS)
    if home.manifest_file.exists():  # `down` takes it away first
        start_supervisor(home)


def end_ownerless(home: Home) -> None:
    """The test run this stack belongs to was killed: stop it from outside, since stopping ends this process too."""
    home.owner_file.unlink()
    stopper = [sys.executable, "-m", "evergreen.local_stack.stop", str(home.path)]
    subprocess.Popen(stopper, env=child_environment(home.path), stdin=subprocess.DEVNULL, start_new_session=True)


if __name__ == "__main__":
    guard(Home(Path(sys.argv[1])))
