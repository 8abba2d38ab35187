"""From the start of a worker to its end: by a signal, or by a thread that failed."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Protocol

import structlog

log = structlog.get_logger(__name__)


class Joinable(Protocol):
    def start(self) -> None: ...
    def join(self, timeout: float) -> None: ...


class GuardedThread:
    """A thread whose failure ends the process."""

    def __init__(self, name: str, run: Callable[[], None], failed: Callable[[BaseException], None]) -> None:
        self._run = run
        self._failed = failed
        self._thread = threading.Thread(target=self._guarded, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)

    def _guarded(self) -> None:
        try:
            self._run()
        except BaseException as error:  # noqa: BLE001 - the edge of a thread: a silent death would stop the loop unseen
            self._failed(error)


class Lifetime:
    """SIGTERM and SIGINT set `stop`; so does a thread that fails, and the exit code tells the supervisor to start the worker anew."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._failures: list[BaseException] = []
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGINT, self._end)

    def _end(self, number: int, _frame: FrameType | None) -> None:
        log.info("stopping", signal=signal.Signals(number).name)
        self.stop.set()

    def failed(self, error: BaseException) -> None:
        log.error("thread_failed", exc_info=error)
        self._failures.append(error)
        self.stop.set()

    def end(self, threads: Sequence[Joinable], seconds: float) -> int:
        """Waits for all of them together, at most `seconds`: what a thread was about to do is done again after the next start. Returns the exit code."""
        self.stop.set()
        until = time.monotonic() + seconds
        for thread in threads:
            thread.join(timeout=max(0.0, until - time.monotonic()))
        log.info("stopped")
        return 1 if self._failures else 0
