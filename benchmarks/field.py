"""Everything that is measured, started before the first round and idle while others have their turn."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.fleet import Fleet, fleet
from benchmarks.load import Load, Outcome, measured
from benchmarks.material import SPEC, Material, prepared, split_body
from benchmarks.mlflow_model import saved
from benchmarks.processes import Program, first_answer, free_port, post, running
from benchmarks.rows import CONSTANT, EVERGREEN, FASTAPI, MLFLOW
from evergreen.environment import child_environment
from evergreen.local_stack.testing import stack

START_SECONDS = 120.0
WARM_SECONDS = 120.0
SCORING = {EVERGREEN: f"/models/{SPEC.name}/invocations"}
"""Where a system scores rows; the others at MLflow's own /invocations."""


@dataclass(frozen=True)
class System:
    name: str
    workers: int
    programs: Sequence[Program]
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def port(self) -> int:
        return self.programs[0].port

    @property
    def label(self) -> str:
        return self.name if self.workers == 1 else f"{self.name}, {self.workers} workers"

    @property
    def scoring(self) -> str:
        return SCORING.get(self.name, "/invocations")

    def cpu_seconds(self) -> float:
        return sum(program.cpu_seconds() for program in self.programs)

    def asked(self, path: str, body: bytes) -> bytes:
        """One answer. Raises TimeoutError."""
        return first_answer(self.programs[0], post(path, body, self.headers), START_SECONDS)[1]


@dataclass
class Field:
    material: Material
    fleet: Fleet
    systems: Sequence[System]
    rounds: int
    seconds: float
    """Of one system's turn in one round."""
    say: Callable[[str], None]
    _numbers: int = 0
    """Given out to bodies so far."""
    _cursors: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Where each system goes on in each file of bodies."""

    def of(self, *names: str) -> list[System]:
        return [system for system in self.systems if system.name in names]

    @property
    def ours(self) -> System:
        """With one worker."""
        return self.of(EVERGREEN)[0]

    def fresh_numbers(self, count: int) -> int:
        """The first of `count` numbers that no body had yet."""
        first, self._numbers = self._numbers, self._numbers + count
        return first

    def load(self, system: System, path: str, bodies: str, clients: int, *, must_hold: str = "", count: int = 0) -> Outcome:
        """For a turn's time, or until `count` were asked. Raises RuntimeError when any answer was an error."""
        wanted = Load(
            port=system.port,
            path=path,
            bodies=bodies,
            connections=clients,
            seconds=WARM_SECONDS if count else self.seconds,
            first=self.fresh_numbers(0),
            skip=self._cursors[system.label, bodies],
            count=count,
            headers=system.headers,
            must_hold=must_hold,
        )
        before = system.cpu_seconds()
        found = measured(wanted)
        spent = system.cpu_seconds() - before
        self.fresh_numbers(found.answers + clients)
        self._cursors[system.label, bodies] += found.answers
        if found.failed:
            raise RuntimeError(f"{system.label}: {path} at {clients} clients: {dict(found.errors)} of {found.answers}, such as {found.sample!r}")
        return replace(found, cpu_us=spent / max(found.answers, 1) * 1e6)

    def interleaved(self, turn: Callable[[System], Outcome], systems: Sequence[System]) -> dict[str, list[Outcome]]:
        """By label. One round to warm up, then each has its turn in every round."""
        found: dict[str, list[Outcome]] = {system.label: [] for system in systems}
        for number in range(self.rounds + 1):
            for system in systems:
                outcome = turn(system)
                if number:
                    found[system.label].append(outcome)
        return found


@contextmanager
def field_of(folder: Path, rounds: int, seconds: float, say: Callable[[str], None], wanted: Iterable[str]) -> Iterator[Field]:
    """`wanted`: names of the systems beside the constant and ours."""
    with ExitStack() as parts:
        say("training two versions")
        material = prepared(folder)
        say("starting Postgres, Kafka and Redis")
        settings = parts.enter_context(stack({"postgres", "kafka", "redis"}))
        ours = parts.enter_context(fleet(settings, material))
        ours.index()
        say("starting the systems")
        starts = {CONSTANT: _constant, FASTAPI: _plain, MLFLOW: _mlflow}
        systems = [parts.enter_context(starts[name](ours, folder)) for name in starts if name in {CONSTANT, *wanted}]
        for count in (1, 2):
            programs = parts.enter_context(ours.workers(f"ours-{count}", count))
            systems.append(System(EVERGREEN, count, programs, ours.headers))
        ours.await_live(3)
        ours.promote(1)
        found = Field(material, ours, systems, rounds, seconds, say)
        for system in found.of(CONSTANT, FASTAPI, MLFLOW):
            system.asked(system.scoring, split_body([[1.0] * len(SPEC.feature_names)]))
        yield found


@contextmanager
def _constant(ours: Fleet, folder: Path) -> Iterator[System]:
    port = free_port()
    with running(CONSTANT, constant_command(port), port, _environment(ours), folder) as program:
        yield System(CONSTANT, 1, [program])


def constant_command(port: int) -> list[str]:
    chosen = ["--port", str(port), "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    return [sys.executable, "-m", "uvicorn", "benchmarks.constant:app", *chosen]


def _environment(ours: Fleet) -> dict[str, str]:
    """As ours, so with one thread for numeric libraries: single rows gain by it, and two cores are shared with the load."""
    return child_environment(ours.settings.home)


@contextmanager
def _plain(ours: Fleet, folder: Path) -> Iterator[System]:
    port = free_port()
    with running(FASTAPI, [sys.executable, "-m", "benchmarks.plain", str(port), "1"], port, _environment(ours), folder) as program:
        yield System(FASTAPI, 1, [program])


@contextmanager
def _mlflow(ours: Fleet, folder: Path) -> Iterator[System]:
    port, model = free_port(), saved(ours.material, folder / "mlflow-model")
    chosen = ["-m", str(model), "-h", "127.0.0.1", "-p", str(port), "--env-manager", "local", "--workers", "1"]
    with running(MLFLOW, [sys.executable, "-m", "mlflow", "models", "serve", *chosen], port, _environment(ours), folder) as program:
        yield System(MLFLOW, 1, [program])
