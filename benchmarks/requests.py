"""What one request costs: a prediction, a hit in either cache, a batch."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

from threadpoolctl import threadpool_limits

from benchmarks.field import Field, System
from benchmarks.load import Outcome
from benchmarks.material import ROWS
from benchmarks.rows import CONSTANT, EVERGREEN, FASTAPI, MLFLOW, PIPELINE, Row, Series, What, compared
from evergreen.adapters.redis_cache import L1_ENTRIES

CLIENTS = (1, 16, 64)
ALL = (CONSTANT, FASTAPI, MLFLOW, EVERGREEN)
HIT = '"cached":true'
HELD = 500
"""Questions an in-process cache holds easily."""


def single(field: Field) -> list[Row]:
    """One row through the scoring endpoint."""
    return [row for clients in CLIENTS for row in _asked(field, "single", field.of(*ALL), clients, field.material.single_rows, scoring=True)]


def video(field: Field) -> list[Row]:
    """All heads, of videos nobody asked about before."""
    systems = field.of(CONSTANT, FASTAPI, EVERGREEN)
    return [row for clients in CLIENTS[:2] for row in _asked(field, "video", systems, clients, field.material.videos)]


def _asked(field: Field, what: What, systems: Sequence[System], clients: int, bodies: str, *, scoring: bool = False) -> list[Row]:
    def turn(system: System) -> Outcome:
        return field.load(system, system.scoring if scoring else "/predict/video", bodies, clients)

    field.say(f"{what}: {clients} client{'s' * (clients > 1)}")
    return compared(_series(what, systems, clients, field.interleaved(turn, systems)))


def l1_hit(field: Field) -> list[Row]:
    """Few questions, asked again and again."""
    return _hits(field, "l1_hit", HELD)


def redis_hit(field: Field) -> list[Row]:
    """Half as many questions again as the worker's own cache holds, in turn: what it is asked next has always been pushed out."""
    return _hits(field, "redis_hit", L1_ENTRIES * 3 // 2)


def _hits(field: Field, what: What, questions: int) -> list[Row]:
    bodies, systems = field.material.known_videos(what, questions), [*field.of(CONSTANT), field.ours]
    field.say(f"{what}: {questions} questions put into the cache")
    for _ in range(3):  # writes to Redis are given up when too many are under way
        field.load(field.ours, "/predict/video", bodies, 4, count=questions)

    def turn(system: System) -> Outcome:
        return field.load(system, "/predict/video", bodies, 16, must_hold=HIT if system.name == EVERGREEN else "")

    field.say(f"{what}: 16 clients")
    return compared(_series(what, systems, 16, field.interleaved(turn, systems)))


def batch_1000(field: Field) -> list[Row]:
    """A data frame of 1,000 rows as JSON, beside the pipeline's own `predict` on the frame."""
    field.say("batch of 1,000 rows")
    asked = field.of(FASTAPI, MLFLOW, EVERGREEN)
    in_process: list[float] = []
    outcomes: dict[str, list[Outcome]] = {system.label: [] for system in asked}
    for number in range(field.rounds + 1):
        rate = _in_process(field)
        turns = {system.label: field.load(system, system.scoring, field.material.batches, 1) for system in asked}
        if number:
            in_process.append(rate)
            for label, outcome in turns.items():
                outcomes[label].append(outcome)
    series = [Series("batch_1000", PIPELINE, 0, 1, "rows/s", in_process)]
    for system in asked:
        rates = [outcome.per_second * ROWS for outcome in outcomes[system.label]]
        shares = [rate / alone for rate, alone in zip(rates, in_process, strict=True)]
        series.append(Series("batch_1000", system.name, 1, system.workers, "rows/s", rates))
        series.append(Series("batch_1000", system.name, 1, system.workers, "of the pipeline's rows/s", shares))
    return compared(series)


def _in_process(field: Field) -> float:
    """Rows a second with as many threads as the libraries choose or with one, whichever is more: on shared cores many threads wait for each other."""
    with threadpool_limits(1):
        alone = _predicted(field, field.seconds / 2)
    return max(alone, _predicted(field, field.seconds / 2))


def _predicted(field: Field, seconds: float) -> float:
    predict, frame = field.material.versions[1].estimators["primary"].predict, field.material.frame
    begun, count = time.perf_counter(), 0
    while time.perf_counter() < begun + seconds:
        predict(frame)
        count += 1
    return count * ROWS / (time.perf_counter() - begun)


def _series(what: What, systems: Sequence[System], clients: int, outcomes: Mapping[str, Sequence[Outcome]]) -> Iterable[Series]:
    for system in systems:
        turns = outcomes[system.label]
        figures = {
            "req/s": [turn.per_second for turn in turns],
            "ms p50": [turn.p50_ms for turn in turns],
            "ms p95": [turn.p95_ms for turn in turns],
            "ms p99": [turn.p99_ms for turn in turns],
            "µs CPU": [turn.cpu_us for turn in turns],
        }
        for unit, values in figures.items():
            yield Series(what, system.name, clients, system.workers, unit, values)
