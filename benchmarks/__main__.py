"""`python -m benchmarks [--only single,video] [--json]`: measure, show, and leave the figures in `.evergreen/bench.json`.

A part that fails loses its own rows only; the exit code tells. Parts that serve are measured side by side on one stack, the rest each by
itself."""

from __future__ import annotations

import argparse
import importlib
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console

from benchmarks.answers import assert_exact, assert_guarded
from benchmarks.field import Field, field_of
from benchmarks.requests import batch_1000, l1_hit, redis_hit, single, video
from benchmarks.restarts import memory, restart
from benchmarks.rows import FASTAPI, MLFLOW, WHATS, Row, write
from benchmarks.swaps import swap
from benchmarks.table import show
from evergreen.environment import CHECKOUT

log = logging.getLogger("benchmarks")
RESULT = CHECKOUT / ".evergreen" / "bench.json"
SERVED: dict[str, Callable[[Field], list[Row]]] = {
    "single": single,
    "video": video,
    "redis_hit": redis_hit,
    "l1_hit": l1_hit,
    "batch_1000": batch_1000,
    "memory": memory,
    "restart": restart,
    "swap": swap,
}
SCORING = {"single", "batch_1000", "memory"}
"""Parts that use the scoring endpoint, and mlflow beside it."""
ALONE: dict[str, tuple[str, str, tuple[int, ...]]] = {
    "bloom": ("benchmarks.bloom", "rows", ()),
    "search": ("benchmarks.search_videos", "rows", (1_000_000,)),
    "jobs": ("benchmarks.jobs", "rows", ()),
    "recommendations": ("benchmarks.recommendations", "rows", ()),
}
"""Functions that measure by themselves and return rows: module, name, arguments."""
TOLD = ("intake", "policy", "drift", "recommender", "pages")
"""Modules that say their figures themselves."""
NAMES = (*WHATS, *TOLD)


class Run:
    def __init__(self, console: Console, result: Path) -> None:
        self._console = console
        self._result = result
        self._begun = time.monotonic()
        self.rows: list[Row] = []
        self.failed: list[str] = []

    def say(self, what: str) -> None:
        self._console.print(f"[dim]{time.monotonic() - self._begun:5.0f} s[/] {what}", highlight=False)

    def part(self, name: str, measure: Callable[[], Sequence[Row]]) -> None:
        """What it measured is in the file before the next part begins."""
        try:
            self.rows += measure()
        except Exception:  # whatever one part dies of, the others go on
            self.failed.append(name)
            log.exception("%s failed", name)
        write(self.rows, self._result)

    def served(self, wanted: Sequence[str], rounds: int, seconds: float) -> None:
        peers = {FASTAPI} | ({MLFLOW} if SCORING & {*wanted} else set())
        paths = ["video", *(["scoring"] if SCORING & {*wanted} else [])]
        with tempfile.TemporaryDirectory(prefix="eg-bench-") as folder, field_of(Path(folder), rounds, seconds, self.say, peers) as field:
            self.say("comparing 1,000 answers with the pipeline's")
            assert_guarded(field)
            assert_exact(field, paths)
            for name in wanted:
                self.part(name, partial(SERVED[name], field))

    def alone(self, name: str) -> Sequence[Row]:
        module_name, function, given = ALONE[name]
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name != module_name:
                raise
            self.say(f"{name}: no benchmark yet")
            return []
        self.say(name)
        return [row if isinstance(row, Row) else Row.of(row) for row in getattr(module, function)(*given)]

    def told(self, name: str) -> Sequence[Row]:
        self.say(name)
        done = subprocess.run([sys.executable, str(CHECKOUT / "benchmarks" / f"{name}.py")], stdout=subprocess.PIPE, text=True, check=True)
        self._console.print(done.stdout.rstrip(), highlight=False, markup=False)
        return []


def run(names: Sequence[str], rounds: int, seconds: float, console: Console, result: Path) -> Run:
    found = Run(console, result)
    if served := [name for name in SERVED if name in names]:
        try:
            found.served(served, rounds, seconds)
        except Exception:  # nothing of it could be measured; what needs no workers still can
            found.failed += [name for name in served if name not in found.failed]
            log.exception("%s failed", ", ".join(served))
    for name in ALONE:
        if name in names:
            found.part(name, partial(found.alone, name))
    for name in TOLD:
        if name in names:
            found.part(name, partial(found.told, name))
    return found


def _names(said: str) -> list[str]:
    names = [name for name in said.replace(",", " ").split() if name]
    if unknown := [name for name in names if name not in NAMES]:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: choose of {', '.join(NAMES)}")
    return names


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure this machine.")
    arguments.add_argument("--only", type=_names, default=[], help=f"some of {','.join(NAMES)}")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=1.0, help="of each system's turn in a round")
    arguments.add_argument("--json", action="store_true", help="the file's content instead of the tables")
    given = arguments.parse_args()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")
    done = run(given.only or NAMES, given.rounds, given.seconds, Console(stderr=True), RESULT)
    if given.json:
        sys.stdout.write(RESULT.read_text(encoding="utf-8"))
    elif done.rows:
        show(done.rows, Console(width=None if sys.stdout.isatty() else 160))
    if done.failed:
        sys.stderr.write(f"failed: {', '.join(done.failed)}\n")
    return 1 if done.failed else 0


if __name__ == "__main__":
    sys.exit(main())
