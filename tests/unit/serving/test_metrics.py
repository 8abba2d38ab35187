"""Numbers of several processes on one port, a killed one among them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.serving_bench import Bench

WORKER = """
import signal, sys
from pathlib import Path
from evergreen.environment import share_metrics
folder = Path(sys.argv[1])
share_metrics(folder)
from serving.metrics import Metrics
metrics = Metrics(folder)
metrics.workers.set(1)
metrics.degraded.set(1)
print("up", flush=True)
signal.sigwait({signal.SIGTERM})
metrics.leave()
"""
SCRAPED = WORKER.partition("metrics.workers")[0] + "print(metrics.render().decode())"


@pytest.fixture
def three(tmp_path: Path) -> Iterator[list[subprocess.Popen[str]]]:
    started = [subprocess.Popen([sys.executable, "-c", WORKER, str(tmp_path)], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for process in started:
        assert process.stdout
        assert process.stdout.readline() == "up\n"
    yield started
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()


def scraped(folder: Path) -> float:
    text = subprocess.run([sys.executable, "-c", SCRAPED, str(folder)], capture_output=True, text=True, check=True, timeout=60).stdout
    (line,) = [line for line in text.splitlines() if line.startswith("serving_workers")]
    return float(line.split()[-1])


def test_workers_are_counted_without_those_that_were_killed_or_left(three: list[subprocess.Popen[str]], tmp_path: Path) -> None:
    assert scraped(tmp_path) == 3
    os.kill(three[0].pid, signal.SIGKILL)
    os.waitid(os.P_PID, three[0].pid, os.WEXITED | os.WNOWAIT)  # dead, and its parent has not collected it
    assert scraped(tmp_path) == 2
    three[1].terminate()
    three[1].wait(20)
    assert scraped(tmp_path) == 1


@pytest.mark.anyio
async def test_a_worker_counts_from_when_it_takes_connections_until_it_drains(bench: Bench) -> None:
    assert b"serving_workers 0.0" in bench.metrics.render()
    await bench.serving.start()
    assert b"serving_workers 1.0" in bench.metrics.render()
    await bench.serving.drain()
    assert b"serving_workers 0.0" in bench.metrics.render()
    await bench.serving.stop()
