"""Stop a stack, whatever state it is in, and leave no process of it."""

from __future__ import annotations

import contextlib
import signal
import sys
from pathlib import Path

import psutil

from evergreen.core.errors import StackError
from evergreen.local_stack.home import Home
from evergreen.local_stack.processes import await_true, end_home, of_home, recorded
from evergreen.local_stack.supervision import Supervisor, reap
from evergreen.local_stack.wanted import want_nothing

SHUTDOWN_SECONDS = 60.0
STORES = frozenset({"kafka", "postgres", "redis"})


def stop(home: Home) -> bool:
    """End every process of the home; True when there was any.

    The supervisor stops its parts in good order first; then whatever still carries this home's mark is ended: what a killed supervisor or a
    half-done start left, and tasks that had moved into process groups of their own."""
    main = recorded(home.pid_file("supervisor"))
    leftovers = of_home(home)
    want_nothing(home)
    if main is not None:
        _stop_in_order(home, main)
    end_home(home)
    reap()
    home.env_file.unlink(missing_ok=True)
    for file in (home.run / "pids").glob("*"):
        file.unlink()
    return bool(leftovers)


def _stop_in_order(home: Home, main: psutil.Process) -> None:
    """First, all at once, what uses the stores, then the stores, which need no better reason to be last."""
    supervisor = Supervisor(home)
    try:
        users = [f"{each.group}:{each.name}" for each in supervisor.processes() if each.group not in STORES]
        for process in users:
            supervisor.stop(process, wait=False)
        await_true(lambda: all(each.pid is None for each in supervisor.processes() if each.group not in STORES), SHUTDOWN_SECONDS)
        supervisor.shutdown()
    except StackError:
        with contextlib.suppress(psutil.NoSuchProcess):
            main.send_signal(signal.SIGTERM)
            main.send_signal(signal.SIGCONT)  # a stopped process hears nothing else
    await_true(lambda: recorded(home.pid_file("supervisor")) is None, SHUTDOWN_SECONDS)


if __name__ == "__main__":
    stop(Home(Path(sys.argv[1])))
