"""Stop a stack, whatever state it is in, and leave no process of it."""

from __future__ import annotations

import signal
import time
from threading import Event

from evergreen.core.errors import StackError
from evergreen.local_stack.home import Home
from evergreen.local_stack.processes import end, of_home, recorded
from evergreen.local_stack.supervision import Supervisor, reap

SHUTDOWN_SECONDS = 60.0
LEFTOVER_SECONDS = 5.0


def stop(home: Home) -> bool:
    """End every process of the home; True when there was any.

    The supervisor stops its parts in good order first; then whatever still carries this home's mark is ended: what a killed supervisor or a
    half-done start left, and tasks that had moved into process groups of their own."""
    main = recorded(home.pid_file("supervisor"))
    leftovers = of_home(home)
    home.manifest_file.unlink(missing_ok=True)  # the guardian reads this as: do not bring it back
    if main is not None:
        try:
            Supervisor(home).shutdown()
        except StackError:
            main.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + SHUTDOWN_SECONDS
        pause = Event()
        while recorded(home.pid_file("supervisor")) is not None and time.monotonic() < deadline:
            pause.wait(0.1)
    postgres = recorded(home.pid_file("postgres"))
    if postgres is not None:
        end({postgres}, signal.SIGINT, LEFTOVER_SECONDS * 2)
    end(of_home(home), signal.SIGTERM, LEFTOVER_SECONDS)
    reap()
    home.env_file.unlink(missing_ok=True)
    for file in (home.run / "pids").glob("*"):
        file.unlink()
    return bool(leftovers)
