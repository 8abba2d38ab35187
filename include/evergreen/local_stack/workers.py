"""The parts that are this repository's own: workers, serving and the dashboard. A part whose module is not there is not part of the stack."""

from __future__ import annotations

import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from evergreen.local_stack.home import Home
from evergreen.local_stack.part import Part, StackContext
from evergreen.local_stack.readiness import http_answers

WORKERS = ("intake", "indexer", "monitor", "recommender")
SHARED = "recommender"
WATCHER = "monitor"
"""Starts whatever is away: that is when it is needed."""


def any_runs(home: Home, name: str) -> bool:
    """Whether a process of the worker runs and has said that it is ready."""
    from evergreen.local_stack.processes import recorded  # a container has neither supervisor nor psutil

    names = [name, *(file.name for file in home.pid_file(name).parent.glob(f"{name}-[0-9][0-9]"))]
    return any(home.ready_file(each).exists() and recorded(home.pid_file(each)) is not None for each in names)


def worker_parts(context: StackContext) -> list[Part]:
    """They say themselves when they are ready (`readiness.mark_ready`). Several recommenders share the users."""
    needs = tuple(context.listening(part) for part in ("postgres", "kafka", "redis"))
    steps = (context.step("schema"), context.step("topics"))
    return [
        Part(
            name=name,
            command=(sys.executable, "-m", f"evergreen.workers.{name}"),
            probe=partial(Path.exists, context.home.ready_file(name)) if name != SHARED else partial(any_runs, context.home, name),
            after=steps if name == WATCHER else (*needs, *steps),
            processes=context.settings.recommender.max_workers if name == SHARED else 1,
            first=context.settings.recommender.min_workers if name == SHARED else 1,
            stop_seconds=30 if name == SHARED else 10,
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
            first=context.settings.serving.min_workers,
            stop_seconds=30,
        )
    ]


def dashboard_parts(context: StackContext) -> list[Part]:
    """It starts beside serving and says so while that is away."""
    if find_spec("dashboard.__main__") is None:
        return []
    url = f"http://{context.settings.dashboard.host}:{context.settings.dashboard.port}"
    command = (sys.executable, "-m", "dashboard")
    return [Part(name="dashboard", command=command, probe=partial(http_answers, f"{url}/_stcore/health"), url=url)]
