"""What a shadow trial costs those who ask meanwhile: the same steady load with and without, in turns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from benchmarks.field import Field, System
from benchmarks.load import Load, Outcome, measured
from benchmarks.rows import EVERGREEN, Row

BESIDE = "evergreen beside a trial"
RATE = 200.0
CLIENTS = 8
SECONDS = 6.0
WARM_SECONDS = 2.0
"""Until every worker has looked at Postgres and asks the shadow too, or no longer."""


def trial(field: Field) -> list[Row]:
    """Both versions are loaded already."""
    rows: list[Row] = []
    for system in field.of(EVERGREEN):
        field.say(f"swap: {RATE:.0f} req/s with and without a shadow trial, {system.label}")
        alone, beside = _in_turns(field, system)
        without, silent = median(outcome.p99_ms for outcome in alone), median(outcome.p99_ms for outcome in beside)
        figures = {"ms p99 at 200 req/s": silent, "ms p99 at 200 req/s without": without, "of the p99 without": silent / without}
        rows += [Row("swap", BESIDE, CLIENTS, system.workers, value, unit) for unit, value in figures.items()]
    return rows


def _in_turns(field: Field, system: System) -> tuple[list[Outcome], list[Outcome]]:
    """Raises RuntimeError when any answer was an error."""
    found: tuple[list[Outcome], list[Outcome]] = ([], [])
    for _ in range(field.rounds):
        found[0].append(_warm(field, system))
        with trials(field):
            found[1].append(_warm(field, system))
    return found


def _warm(field: Field, system: System) -> Outcome:
    _steady(field, system, WARM_SECONDS)
    return _steady(field, system, SECONDS)


def _steady(field: Field, system: System, seconds: float) -> Outcome:
    first = field.fresh_numbers(int(RATE * seconds))
    outcome = measured(Load(system.port, "/predict/video", field.material.videos, CLIENTS, seconds, RATE, first, headers=system.headers))
    if outcome.failed:
        raise RuntimeError(f"{system.label}: {dict(outcome.errors)} of {outcome.answers}, such as {outcome.sample!r}")
    return outcome


@contextmanager
def trials(field: Field) -> Iterator[None]:
    """Each version answers silently beside the other."""
    field.fleet.begin_trials()
    try:
        yield
    finally:
        field.fleet.end_trials()
