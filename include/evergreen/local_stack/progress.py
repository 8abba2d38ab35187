"""Shows a start: a line per part that turns green on a terminal, a plain line per event elsewhere (logs, CI)."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from types import TracebackType

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


class StartProgress(AbstractContextManager["StartProgress"]):
    def __init__(self, console: Console, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet
        self._began = time.monotonic()
        self._live = Progress(SpinnerColumn(finished_text="[green]✓"), TextColumn("{task.description}"), TimeElapsedColumn(), console=console)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> StartProgress:
        if self._console.is_terminal and not self._quiet:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._live.stop()

    def say(self, text: str) -> None:
        if not self._quiet:
            (self._live.console if self._live.live.is_started else self._console).print(f"[dim]{self.seconds:5.1f} s[/]  {text}", highlight=False)

    def waiting(self, name: str) -> None:
        if self._live.live.is_started:
            self._tasks[name] = self._live.add_task(name, total=1)

    def done(self, name: str) -> None:
        if name in self._tasks:
            self._live.update(self._tasks[name], completed=1)
        else:
            self.say(f"{name} ready")

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began
