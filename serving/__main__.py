"""`python -m serving`: one worker.

On the socket its supervisor hands it as file 0, which it shares with the other workers; without one, or with `--port`, on its own."""

from __future__ import annotations

import argparse
import gc
import os
import socket
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evergreen.settings import Settings


def main() -> None:
    asked = _arguments()
    gc.disable()  # until all is imported: looking for garbage among modules takes a tenth of the start

    from evergreen.environment import service_name, share_metrics, use_one_thread
    from evergreen.settings_copy import remembered_settings

    settings = remembered_settings("serving")
    metrics_folder = settings.home / "run" / "metrics" / "serving"
    share_metrics(metrics_folder)  # before prometheus_client is imported: it decides then where the numbers are kept
    use_one_thread()

    from evergreen.observability import configure_logging

    configure_logging(settings, service_name("serving"))
    _run(settings, _listener(asked, settings))
    sys.stdout.flush()
    os._exit(0)  # all is sent and closed; the interpreter would still wait for a thread that imports or loads what nobody wants any more


def _run(settings: Settings, listener: socket.socket) -> None:
    import structlog

    from evergreen.core.errors import EvergreenError
    from serving.app import create_app
    from serving.dependencies import build, refuse_a_pool_too_large
    from serving.metrics import Metrics
    from serving.worker import Worker, run

    structlog.get_logger(__name__).info("listening", address=":".join(str(part) for part in listener.getsockname()[:2]))
    metrics = Metrics(settings.home / "run" / "metrics" / "serving")
    metrics.forget_the_dead()

    async def worker() -> Worker:
        await refuse_a_pool_too_large(settings)
        made = Worker(create_app(serving := build(settings, metrics)), serving)
        gc.freeze()  # what is loaded by now stays: the collector need not look at it during requests
        gc.enable()
        return made

    try:
        run(worker, listener)
    except EvergreenError as error:  # a setting it cannot work without
        sys.exit(f"serving cannot start: {error}")
    metrics.leave()


def _listener(asked: argparse.Namespace, settings: Settings) -> socket.socket:
    from serving.worker import handed_over, listening

    port = settings.serving.port if asked.port is None else asked.port
    try:
        return (None if asked.port is not None else handed_over()) or listening(asked.host or settings.serving.host, port)
    except OSError as error:
        sys.exit(f"serving cannot listen: {error}; is another one running? See `evergreen status`, or choose another --port")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m serving", description="One serving worker.")
    parser.add_argument("--host", help="default: the setting, loopback")
    parser.add_argument("--port", type=int, help="listen on an own socket instead of the supervisor's; 0 takes a free one")
    return parser.parse_args()


if __name__ == "__main__":
    main()
