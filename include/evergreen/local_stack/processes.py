"""Find and end the processes of one home, whoever their parent is.

Guarantee: after `end_service` or `end_home` no process of it runs. Failure: a parent killed with SIGKILL leaves children that hold its port,
and a task runner moves its tasks into process groups of their own. Remedy: every part carries its home and its name in the environment it
was started with, which children inherit and cannot lose; Postgres, which overwrites its environment, is known by the pid it was started with.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import psutil

from evergreen.local_stack.home import Home

SAME_START_SECONDS = 2.0
"""Start times within this are the same process: their resolution is a clock tick."""
END_SECONDS = 5.0
KILL_SECONDS = 10.0


def record_self(pid_file: Path) -> None:
    """Note this process; its start time tells it from a later one with the same pid."""
    pid_file.parent.mkdir(parents=True, exist_ok=True)
    pid_file.write_text(json.dumps({"pid": os.getpid(), "started": psutil.Process().create_time()}))


def recorded(pid_file: Path) -> psutil.Process | None:
    """The process a pid file names, if it still is that process."""
    try:
        noted = json.loads(pid_file.read_text())
        process = psutil.Process(int(noted["pid"]))
        alive = abs(process.create_time() - float(noted["started"])) < SAME_START_SECONDS and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, ValueError, KeyError, psutil.NoSuchProcess):
        return None
    return process if alive else None


def _marked(home: Home) -> Iterator[tuple[psutil.Process, str]]:
    """Every process whose environment names this home and a service."""
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            if environment.get("EVERGREEN_HOME") == str(home.path) and (service := environment.get("EVERGREEN_SERVICE")):
                yield process, service
        except (psutil.Error, OSError):  # ended meanwhile, or another user's
            continue


def of_service(home: Home, service: str) -> set[psutil.Process]:
    """All processes of one service but the caller."""
    found = {process for process, name in _marked(home) if name == service}
    if main := recorded(home.pid_file(service)):
        found |= _with_children(main)
    return {process for process in found if process.pid != os.getpid()}


def of_home(home: Home) -> set[psutil.Process]:
    """All processes of one home but the caller and its parents: the supervisor, every part, and what they left behind."""
    found = {process for process, _ in _marked(home)}
    for pid_file in (home.run / "pids").glob("*"):
        if main := recorded(pid_file):
            found |= _with_children(main)
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return {process for process in found if process.pid not in own}


def _with_children(process: psutil.Process) -> set[psutil.Process]:
    try:
        return {process, *process.children(recursive=True)}
    except psutil.NoSuchProcess:
        return {process}


def end(processes: set[psutil.Process], first: signal.Signals, seconds: float) -> None:
    """Ask with `first`, wait, then kill whatever is left."""
    _send(processes, first)
    _send(left := _wait(processes, seconds), signal.SIGKILL)
    _wait(left, KILL_SECONDS)


def end_home(home: Home) -> None:
    """End everything of a home: first what uses the stores, then Postgres, which TERM would make wait for its clients for ever."""
    postgres = of_service(home, "postgres")
    end(of_home(home) - postgres, signal.SIGTERM, END_SECONDS)
    end(postgres, signal.SIGINT, 2 * END_SECONDS)


def _send(processes: set[psutil.Process], signal_number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal_number)
            if signal_number != signal.SIGKILL:
                process.send_signal(signal.SIGCONT)  # a stopped process hears nothing else


def _wait(processes: set[psutil.Process], seconds: float) -> set[psutil.Process]:
    """Those that still run after `seconds`. A zombie holds nothing any more and belongs to its parent."""
    await_true(lambda: not any(_runs(process) for process in processes), seconds)
    return {process for process in processes if _runs(process)}


def await_true(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition came true in time; looked at twenty times a second."""
    deadline = time.monotonic() + seconds
    pause = Event()
    while not (met := condition()) and time.monotonic() < deadline:
        pause.wait(0.05)
    return met


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
