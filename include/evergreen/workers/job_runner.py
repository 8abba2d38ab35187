"""`python -m evergreen.workers.job_runner --name NAME --parent PID`: takes one waiting prediction job, works on it, ends.

Started by a serving worker and ended with it, however that ends: the kernel kills it when its parent is gone, its lease runs out, another
worker's runner goes on with the next chunk. Gives way to everything else on the machine and holds a bounded amount of memory."""

from __future__ import annotations

import argparse
import ctypes
import os
import resource
import signal
import sys
import threading

import structlog

from evergreen.bootstrap import Parts
from evergreen.core.errors import EvergreenError, Fenced
from evergreen.environment import service_name
from evergreen.observability import configure_logging
from evergreen.settings import load_settings

NICENESS = 10
NOTHING_TO_DO = 3
"""Exit status: no job could be claimed."""
_PR_SET_PDEATHSIG = 1
log = structlog.get_logger(__name__)


def main() -> int:
    import pyarrow as pa

    parser = argparse.ArgumentParser(description="Works on one prediction job.")
    parser.add_argument("--name", required=True)
    parser.add_argument("--parent", type=int, required=True)
    given = parser.parse_args()
    end_with_parent(given.parent)
    settings = load_settings()
    configure_logging(settings, service_name("job-runner"))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    give_way(settings.jobs.memory_mb)
    pa.set_cpu_count(max(os.cpu_count() or 1, 1))
    parts = Parts(settings)
    try:
        job = parts.jobs.run_job(stop).run(given.name)
    except Fenced:
        return 0
    except EvergreenError as error:
        log.warning("job_runner_ended", error=str(error))
        return 1
    return NOTHING_TO_DO if job is None else 0


def end_with_parent(parent: int) -> None:
    """Of the thread that started this process, to be exact: serving starts it from the one that lives as long as the process."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(0)


def give_way(memory_mb: int) -> None:
    """To everything else on the machine, and end where the memory does."""
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_DATA, (memory_mb * 2**20, memory_mb * 2**20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    sys.exit(main())
