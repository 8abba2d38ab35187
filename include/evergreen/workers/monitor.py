"""The monitor: probes every part, reads serving's numbers, looks for batches that did not come and at how well the models do. Beside it
run the notifier, which delivers alerts, and the executor of scaling.

One copy leads each of the steps below; others wait. Its alerts need neither Kafka nor intake: they are rows of table `alerts`, written in
one transaction with the memory of what was said. SIGTERM ends the round in hand."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from functools import partial

import structlog

from evergreen.adapters.postgres.leadership import Leadership
from evergreen.bootstrap import Parts
from evergreen.local_stack.readiness import mark_ready
from evergreen.observability import configure_logging
from evergreen.settings import load_settings
from evergreen.workers.intake_leader import LeaderThread
from evergreen.workers.lifetime import Lifetime
from evergreen.workers.monitor_metrics import serve_metrics
from evergreen.workers.monitor_steps import ChecksStep, WatchLeadership, WatchStep
from evergreen.workers.notify_step import NotifyStep
from evergreen.workers.scale_step import ScaleStep

SERVICE = "monitor"
THREADS_SECONDS = 8.0
log = structlog.get_logger(__name__)

Step = Callable[[], None]
STEPS: dict[str, tuple[Callable[[str, str], Leadership], Callable[[Parts, threading.Event, Leadership], Step]]] = {
    "monitor-watch": (WatchLeadership, lambda parts, stop, _: WatchStep(parts, stop)),
    "monitor-checks": (Leadership, lambda parts, stop, _: ChecksStep(parts, stop)),
    "notify": (partial(Leadership, listen="alerts"), NotifyStep),
    "scale": (Leadership, lambda parts, stop, _: ScaleStep(parts, stop)),
}
"""Leader's name -> how it leads, and what it does again and again."""


def leader_threads(parts: Parts, stop: threading.Event, failed: Callable[[BaseException], None]) -> list[LeaderThread]:
    dsn = parts.settings.postgres.dsn.get_secret_value()
    leads = {name: lead(dsn, name) for name, (lead, _) in STEPS.items()}
    return [LeaderThread(leads[name], make(parts, stop, leads[name]), stop, failed) for name, (_, make) in STEPS.items()]


def main() -> int:
    settings = load_settings()
    configure_logging(settings, SERVICE)
    lifetime, parts = Lifetime(), Parts(settings)
    try:
        serve_metrics(parts.monitor.snapshot, settings.monitor.host, settings.monitor.port)
    except OSError as error:
        sys.exit(f"the monitor cannot listen on port {settings.monitor.port}: {error}; set EVERGREEN_MONITOR__PORT, or see `evergreen status`")
    threads = leader_threads(parts, lifetime.stop, lifetime.failed)
    for thread in threads:
        thread.start()
    mark_ready(settings.home, SERVICE)
    log.info("ready")
    lifetime.stop.wait()
    code = lifetime.end(threads, THREADS_SECONDS)
    parts.publisher.close(1.0)
    return code


if __name__ == "__main__":
    sys.exit(main())
