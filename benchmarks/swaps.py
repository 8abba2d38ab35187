"""What a new version costs those who ask meanwhile: promotions to and fro by the real protocol under a steady load."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.answers import Differs, assert_close
from benchmarks.field import Field, System
from benchmarks.load import NUMBER, Load, Outcome, measured
from benchmarks.material import video_body
from benchmarks.rows import EVERGREEN, Row
from benchmarks.trials import BESIDE, trial, trials

SWAPS = 20
RATE = 200.0
CLIENTS = 8
PATIENCE_SECONDS = 200.0


def swap(field: Field) -> list[Row]:
    """The first swap is to a version no worker has compiled yet. Then the same while each version answers silently beside the other, and what
    that costs by itself. Raises Differs when an answer is not wholly one version's."""
    rows = _swaps(field, EVERGREEN)
    with trials(field):
        rows += _swaps(field, BESIDE)
    return rows + trial(field)


def _swaps(field: Field, name: str) -> list[Row]:
    rows: list[Row] = []
    for system in field.of(EVERGREEN):
        field.say(f"swap: {SWAPS} swaps at {RATE:.0f} req/s, {name}, {system.workers} workers")
        outcome, seconds, mixed = _swapped(field, system)
        figures = {
            "errors": float(outcome.failed),
            "answers of two versions": float(mixed),
            "ms p99": outcome.p99_ms,
            "ms p50": outcome.p50_ms,
            "req/s": outcome.per_second,
            "s a swap": seconds / SWAPS,
        }
        rows += [Row("swap", name, CLIENTS, system.workers, value, unit) for unit, value in figures.items()]
    return rows


def _swapped(field: Field, system: System) -> tuple[Outcome, float, int]:
    """(what the load saw, seconds of all swaps, how many answers were of two versions)."""
    question, kept = field.material.questions[0], field.material.folder / "swapped.ndjson"
    expected = {version: field.material.answers([question], version)[0]["prediction"] for version in field.material.versions}
    if abs(expected[1] - expected[2]) < 1e-6:
        raise Differs("both versions say the same: their answers cannot be told apart")
    with _steady_load(field, system, question, kept) as (load, stop):
        begun = time.perf_counter()
        for number in range(SWAPS):
            field.fleet.promote(2 - number % 2)
        seconds = time.perf_counter() - begun
        stop.touch()
        outcome = load.result()
    return outcome, seconds, mixed([json.loads(line) for line in kept.read_bytes().splitlines()], expected)


@contextmanager
def _steady_load(field: Field, system: System, question: dict[str, Any], kept: Path) -> Iterator[tuple[Future[Outcome], Path]]:
    material, stop = field.material, field.material.folder / "stop"
    bodies = material.bodies("swap", iter([video_body(NUMBER.decode(), question)]))
    wanted = Load(
        port=system.port,
        path="/predict/video",
        bodies=bodies,
        connections=CLIENTS,
        seconds=PATIENCE_SECONDS,
        rate=RATE,
        first=field.fresh_numbers(int(RATE * PATIENCE_SECONDS)),
        headers=system.headers,
        stop=str(stop),
        keep=str(kept),
    )
    stop.unlink(missing_ok=True)
    with ThreadPoolExecutor(1) as thread:
        try:
            yield thread.submit(measured, wanted), stop
        finally:
            stop.touch()


def mixed(answers: list[dict[str, Any]], expected: dict[int, float]) -> int:
    """How many answers do not fit together: the prediction of another version than named, or an epoch that another answer had with another
    version. Raises Differs where both versions did not answer: then nothing was tried."""
    versions: dict[int, int] = {}
    found = 0
    for answer in answers:
        version = int(str(answer.get("model_version", "@0")).rpartition("@")[2])
        if version not in expected:
            continue  # an error: counted by the load
        try:
            assert_close("prediction", answer["prediction"], expected[version])
        except Differs:
            found += 1
            continue
        found += versions.setdefault(answer["epoch"], version) != version
    if set(versions.values()) != set(expected):
        raise Differs(f"only versions {sorted(set(versions.values()))} answered while swaps to and fro went on")
    return found
