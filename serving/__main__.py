"""`python -m serving`: one worker.

On the socket its supervisor hands it as file 0, which it shares with the other workers; without one, or with `--port`, on its own."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evergreen.settings import Settings


def main() -> None:
    asked = _arguments()
    gc.disable()  # until all is imported: looking for garbage among modules takes a tenth of the start

    import structlog

    from evergreen.core.errors import EvergreenError
    from evergreen.environment import service_name, share_metrics, use_one_thread
    from evergreen.observability import configure_logging
    from evergreen.settings import load_settings

    settings = load_settings()
    configure_logging(settings, service_name("serving"))
    metrics_folder = settings.home / "run" / "metrics" / "serving"
    share_metrics(metrics_folder)
    use_one_thread()

    # Only now: prometheus_client decides at its import where the numbers are kept.
    from serving.app import create_app
    from serving.dependencies import build
    from serving.metrics import Metrics
    from serving.worker import Worker, handed_over, listening, run

    try:
        listener = (None if asked.port is not None else handed_over()) or listening(asked.host or settings.serving.host, _port(asked.port, settings))
    except OSError as error:
        sys.exit(f"serving cannot listen: {error}; is another one running? See `evergreen status`, or choose another --port")
    structlog.get_logger(__name__).info("listening", address=":".join(str(part) for part in listener.getsockname()[:2]))
    metrics = Metrics(metrics_folder)
    metrics.forget_the_dead()

    async def worker() -> Worker:
        made = Worker(create_app(serving := build(settings, metrics)), serving)
        gc.freeze()  # what is loaded by now stays: the collector need not look at it during requests
        gc.enable()
        return made

    try:
        run(worker, listener)
    except EvergreenError as error:  # a setting it cannot work without
        sys.exit(f"serving cannot start: {error}")
    metrics.leave()
    sys.stdout.flush()
    os._exit(0)  # all is sent and closed; the interpreter would still wait for a thread that imports or loads what nobody wants any more


def _port(asked: int | None, settings: Settings) -> int:
    return settings.serving.port if asked is None else asked


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m serving", description="One serving worker.")
    parser.add_argument("--host", help="default: the setting, loopback")
    parser.add_argument("--port", type=int, help="listen on an own socket instead of the supervisor's; 0 takes a free one")
    return parser.parse_args()


if __name__ == "__main__":
    main()
