"""Load over keep-alive connections, and how long each answer took.

Asked of a process of its own (`benchmarks.load_process`), on the last core where there are several, so that it takes little from what it
measures. Every answer's status is looked at. Requests that were begun are awaited: the rate is that of all answers, up to the last."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from evergreen.environment import CHECKOUT

NUMBER = b"@@@@@@@@@@"
"""In a body: becomes a number of as many digits, another one in each request."""


@dataclass(frozen=True)
class Load:
    port: int
    path: str
    bodies: str
    """File with one body a line, sent in turn."""
    connections: int
    seconds: float
    rate: float = 0.0
    """Requests a second by the clock, late ones counted from when they were due; 0: each connection asks again when it was answered."""
    first: int = 0
    """Where the numbers in the bodies begin."""
    skip: int = 0
    """Bodies to begin after."""
    count: int = 0
    """Stop after as many; 0: when the time is up."""
    headers: Mapping[str, str] = field(default_factory=dict)
    must_hold: str = ""
    """Part of every answer; one without it is an error."""
    stop: str = ""
    """File that ends a load by the clock when it appears."""
    keep: str = ""
    """File for the answers' bodies, one a line."""
    method: str = "POST"
    """GET: the lines of `bodies` are what follows the path instead."""


@dataclass(frozen=True)
class Outcome:
    answers: int
    seconds: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    errors: Mapping[str, int]
    sample: str
    """Of an answer that was an error."""
    cpu_us: float = 0.0
    """Processor time of the asked, for each answer. Who knows its processes fills it in: it wavers less than the clock on a busy machine."""

    @property
    def per_second(self) -> float:
        return self.answers / self.seconds if self.seconds else 0.0

    @property
    def failed(self) -> int:
        return sum(self.errors.values())


def measured(load: Load) -> Outcome:
    """Raises RuntimeError when the load itself broke, not when answers were errors."""
    command = [sys.executable, "-m", "benchmarks.load_process"]
    done = subprocess.run(command, input=json.dumps(asdict(load)), capture_output=True, text=True, timeout=load.seconds + 60, cwd=CHECKOUT)
    if done.returncode != 0:
        raise RuntimeError(f"the load generator ended with {done.returncode}: {done.stderr[-500:]}")
    return Outcome(**json.loads(done.stdout))


def percentile(ordered: Sequence[float], share: float) -> float:
    """Of values in order: the smallest that at least `share` of them do not exceed. 0 where there are none."""
    return ordered[min(max(int(len(ordered) * share + 0.999999) - 1, 0), len(ordered) - 1)] if ordered else 0.0
