"""Start a stack: one winner per home, parts in parallel, each after what it needs, until every one does its work."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from evergreen.core.clock import wall_now
from evergreen.core.errors import StackError
from evergreen.local_stack.catalogue import HIDDEN, PREPARATIONS, build_parts, port_names
from evergreen.local_stack.choose import is_running
from evergreen.local_stack.context import new_context, running_context
from evergreen.local_stack.convergence import Convergence, PartGaveUp
from evergreen.local_stack.home import Home
from evergreen.local_stack.lock import StartUnderWay, start_lock
from evergreen.local_stack.ownership import Maker, claim, maker, refuse_to_reset
from evergreen.local_stack.part import Part, StackContext
from evergreen.local_stack.ports import free_port_offset, refuse_taken
from evergreen.local_stack.processes import await_true
from evergreen.local_stack.progress import StartProgress
from evergreen.local_stack.stop import stop
from evergreen.local_stack.supervision import Supervisor, start_supervisor, write_configuration
from evergreen.local_stack.wanted import converge, wanted_processes
from evergreen.local_stack.wipe import wipe
from evergreen.settings import load_settings

SUPERVISOR_SECONDS = 20.0
INTERRUPT_SECONDS = 90.0
NEEDED_BYTES = 1_000_000_000


def interrupt_start(home: Home) -> None:
    """Ask a start that is under way to break off, and wait until it has cleaned up."""
    holder = home.lock_file.read_text().strip() if home.lock_file.exists() else ""
    if not holder.isdigit() or _lock_is_free(home):
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(int(holder), signal.SIGTERM)
    await_true(lambda: _lock_is_free(home), INTERRUPT_SECONDS)


def _lock_is_free(home: Home) -> bool:
    try:
        with start_lock(home):
            return True
    except StartUnderWay:
        return False


def start(path: Path, progress: StartProgress, only: frozenset[str] | None = None, port_offset: int | None = None, *, by: Maker = "up") -> StackContext:
    """Bring the stack of a home up and wait until every part is ready; on a running one, start what is down. Raises `StackError`.

    A first start that is broken off, by a signal or an error, stops what it had started; a part that gave up leaves the rest standing, so
    that it can be looked at."""
    home = Home(path)
    maker(home)
    with start_lock(home):
        claim(home, by)
        if is_running(home.path) and home.manifest_file.exists():
            progress.say(f"the stack in {home.path} is running already")
            context = running_context(home.path)
            parts = build_parts(context, frozenset(wanted_processes(home)))
            converge(home)
            Convergence(context, parts, progress).run()
            return context
        return _start_all(home, progress, only, port_offset)


def start_anew(path: Path, progress: StartProgress) -> StackContext:
    """For a demo: stop the home's stack, delete its data and start, on the next free ports from the caller's on, all under one lock. Raises
    `StackError`, also where the home is not a demo's."""
    home = Home(path)
    refuse_to_reset(home)
    with start_lock(home):
        if stop(home):
            progress.say("stopped the stack of the last demo")
        wipe(home)
        claim(home, "demo")
        wanted = load_settings(home.path, with_stack=False).port_offset
        offset = free_port_offset(wanted)
        if offset != wanted:
            progress.say(f"the usual ports are taken: all are moved by {offset}")
        return _start_all(home, progress, None, offset)


def _start_all(home: Home, progress: StartProgress, only: frozenset[str] | None, port_offset: int | None) -> StackContext:
    try:
        context, parts = _begin(home, progress, only, port_offset)
        Convergence(context, parts, progress).run()
    except PartGaveUp:
        raise
    except BaseException:
        progress.say("stopping what was started")
        stop(home)
        raise
    return context


def _begin(home: Home, progress: StartProgress, only: frozenset[str] | None, port_offset: int | None) -> tuple[StackContext, list[Part]]:
    if stop(home):
        progress.say("ended what an earlier start had left behind")
    shutil.rmtree(home.run, ignore_errors=True)
    if (free := shutil.disk_usage(home.path).free) < NEEDED_BYTES:
        raise StackError(
            f"only {free // 1_000_000} MB are free under {home.path}; the stack needs {NEEDED_BYTES // 1_000_000} MB: free some, or set EVERGREEN_HOME"
        )
    context = new_context(home.path, port_offset)
    names = only or frozenset()
    prepared = [name for name in PREPARATIONS if name.split("-")[0] not in context.external and (not names or {name, name.split("-")[0]} & names)]
    with ThreadPoolExecutor(max(1, len(prepared))) as pool:
        for done in [pool.submit(PREPARATIONS[name], context, progress.say) for name in prepared]:
            done.result()
    parts = build_parts(context, only)
    refuse_taken(context.ports, port_names(parts))
    write_configuration(home, parts)
    processes = {part.name: part.first for part in parts if part.name not in HIDDEN}
    manifest = {"processes": processes, "port_offset": context.ports.offset, "external": sorted(context.external), "started": wall_now().isoformat()}
    home.manifest_file.write_text(json.dumps(manifest))
    start_supervisor(home)
    if not await_true(Supervisor(home).answers, SUPERVISOR_SECONDS):
        raise StackError(f"the supervisor does not start; see {home.logs / 'supervisor.log'} and {home.logs / 'supervisor.out'}")
    return context, parts
