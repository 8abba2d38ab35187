"""How soon a worker answers after it was started, beside the constant, and what it takes of memory."""

from __future__ import annotations

import json
import socket
import time

from benchmarks.answers import assert_close
from benchmarks.field import Field, constant_command
from benchmarks.material import video_body
from benchmarks.processes import first_answer, free_port, post, running
from benchmarks.rows import CONSTANT, EVERGREEN, FASTAPI, MLFLOW, Row, Series, compared
from evergreen.environment import child_environment

START_SECONDS = 60.0


def restart(field: Field) -> list[Row]:
    """From exec to the first valid answer. The version is compiled on this disk already: the workers that run have used it."""
    ours: list[float] = []
    constant: list[float] = []
    for number in range(field.rounds):
        field.say(f"restart: {number + 1} of {field.rounds}")
        constant.append(_start_of_constant(field))
        ours.append(_start_of_ours(field, number))
    return compared([Series("restart", CONSTANT, 1, 1, "s", constant), Series("restart", EVERGREEN, 1, 1, "s", ours)])


def _start_of_constant(field: Field) -> float:
    port, begun = free_port(), time.perf_counter()
    with running("constant-again", constant_command(port), port, child_environment(field.fleet.settings.home), field.material.folder) as program:
        return first_answer(program, post("/predict/video", b"{}"), START_SECONDS)[0] - begun


def _start_of_ours(field: Field, number: int) -> float:
    question = field.material.questions[0]
    request = post("/predict/video", video_body(f"restart-{number}", question), field.ours.headers)
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        begun = time.perf_counter()
        with field.fleet.worker(f"again-{number:02d}", listener) as program:
            answered, body = first_answer(program, request, START_SECONDS)
    assert_close("the first answer after a restart", json.loads(body)["prediction"], field.material.answers([question])[0]["prediction"])
    return answered - begun


def memory(field: Field) -> list[Row]:
    """After load on each."""
    series = []
    for system in field.of(FASTAPI, MLFLOW, EVERGREEN):
        field.say(f"memory: {system.label}")
        if system.name == EVERGREEN:
            field.load(system, "/predict/video", field.material.videos, 16)
        field.load(system, system.scoring, field.material.single_rows, 16)
        resident, proportional = system.programs[0].megabytes()
        series.append(Series("memory", system.name, 0, system.workers, "MB RSS", [resident]))
        series.append(Series("memory", system.name, 0, system.workers, "MB PSS", [proportional]))
    return compared(series)
