"""From a running supervisor to a stack that works: every step as soon as what it needs is there, every part until it does its work."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from threading import Event

from evergreen.core.errors import StackError
from evergreen.local_stack.catalogue import HIDDEN
from evergreen.local_stack.logs import last_line
from evergreen.local_stack.part import Part, StackContext
from evergreen.local_stack.progress import StartProgress
from evergreen.local_stack.steps import STEPS, Step
from evergreen.local_stack.supervision import Supervisor

START_SECONDS = 600.0
POLL_SECONDS = 0.2


class PartGaveUp(StackError):
    """A part ended at each of its starts."""


class Convergence:
    def __init__(self, context: StackContext, parts: list[Part], progress: StartProgress) -> None:
        names = {part.name for part in parts}
        self._context = context
        self._parts = [part for part in parts if part.name not in HIDDEN]
        self._steps = [step for step in STEPS if (names | context.external) & set(step.served)]
        self._progress = progress
        self._done = {name: Event() for name in [*names, *(step.name for step in self._steps)]}
        self._broken = Event()
        self._deadline = time.monotonic() + START_SECONDS

    def run(self) -> None:
        """Returns when all is ready. Raises `PartGaveUp`, or `StackError` where a step failed or time ran out."""
        for part in self._parts:
            self._progress.waiting(part.name)
        with ThreadPoolExecutor(len(self._parts) + len(self._steps) + 1) as pool:
            try:
                work = [pool.submit(self._await_part, part) for part in self._parts] + [pool.submit(self._do, step) for step in self._steps]
                work.append(pool.submit(self._watch_supervisor))
                for finished in as_completed(work):
                    finished.result()
            finally:
                self._broken.set()

    def _await(self, what: str, condition: Callable[[], bool]) -> None:
        while not condition():
            if self._broken.wait(POLL_SECONDS):
                raise StackError("the start was broken off")
            if time.monotonic() > self._deadline:
                raise StackError(f"{what} is not ready after {START_SECONDS:.0f} s; `make logs` and `evergreen doctor` show why")

    def _await_part(self, part: Part) -> None:
        self._await(part.name, part.probe)
        self._done[part.name].set()
        self._progress.done(part.name)

    def _do(self, step: Step) -> None:
        file = self._context.home.step_file(step.name)
        if not file.exists():
            self._await(f"what {step.name} needs", lambda: all(self._done[need].is_set() for need in step.needs if need in self._done))
            step.run(self._context)
            file.touch()
        self._done[step.name].set()

    def _watch_supervisor(self) -> None:
        """Ends the wait as soon as a part gave up, with its last word."""
        supervisor = Supervisor(self._context.home)
        waited_for = [self._done[part.name] for part in self._parts]

        def all_ready() -> bool:
            for process in supervisor.processes():
                if process.state == "FATAL":
                    log = self._context.home.logs / f"{process.name}.log"
                    raise PartGaveUp(f"{process.name} gave up: {last_line(log) or process.error}; see {log}. The rest still runs; `make down` stops it")
            return all(event.is_set() for event in waited_for)

        self._await("the stack", all_ready)
