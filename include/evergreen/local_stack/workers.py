"""The parts that are this repository's own: workers and serving. A part whose module is not there is not part of the stack."""

from __future__ import annotations

import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from evergreen.local_stack.part import Part, StackContext
from evergreen.local_stack.readiness import http_answers

WORKERS = ("intake", "indexer", "monitor", "recommender")
WATCHER = "monitor"
"""Starts whatever is away: that is when it is needed."""


def worker_parts(context: StackContext) -> list[Part]:
    """They say themselves when they are ready (`readiness.mark_ready`)."""
    needs = tuple(context.listening(part) for part in ("postgres", "kafka", "redis"))
    steps = (context.step("schema"), context.step("topics"))
    return [
        Part(
            name=name,
            command=(sys.executable, "-m", f"evergreen.workers.{name}"),
            probe=partial(Path.exists, context.home.ready_file(name)),
            after=steps if name == WATCHER else (*needs, *steps),
        )
        for name in WORKERS
        if find_spec(f"evergreen.workers.{name}")
    ]


def serving_parts(context: StackContext) -> list[Part]:
    """N processes on one socket, which the supervisor owns: a killed one costs no connection attempt."""
    if find_spec("serving.__main__") is None:
        return []
    url = context.settings.serving.url
    return [
        Part(
            name="serving",
            command=(sys.executable, "-m", "serving"),
            probe=partial(http_answers, f"{url}/readyz"),
            url=url,
            after=(context.listening("postgres"), context.step("schema")),
            socket=f"tcp://{context.settings.serving.host}:{context.settings.serving.port}",
            processes=context.settings.serving.max_workers,
            stop_seconds=30,
        )
    ]
