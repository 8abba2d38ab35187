"""The indexer: the only writer of the catalogue, the online features and the seen index, and the recorder of the high-volume topics.

Four consumer groups in one process, a thread each, so that a slow batch of data never delays the records, and neither the pictures of drift
reports (ten to twenty seconds of work) nor the pages of retrains delay anybody. SIGTERM finishes the batch in
hand. Any thread that ends by an error ends the process: the supervisor starts it again and nothing was committed that was not done.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence
from functools import partial
from types import FrameType

import structlog

from evergreen.adapters.kafka_consumer import BatchConsumer
from evergreen.bootstrap import Parts
from evergreen.core.poison import Place
from evergreen.local_stack.readiness import mark_ready
from evergreen.observability import configure_logging
from evergreen.ports.messaging import Received
from evergreen.services import drift_evidence, index_stream, record_stream, retrain_report
from evergreen.services.index_stream import IndexStream
from evergreen.services.quiescence import INDEXER_DATA_GROUP as DATA_GROUP
from evergreen.services.quiescence import INDEXER_RECORDS_GROUP as RECORDS_GROUP
from evergreen.services.raise_alert import PoisonAlert
from evergreen.services.seen_index import refresh_seen_index
from evergreen.settings import load_settings
from evergreen.workers.stream_loop import StreamLoop

SERVICE = "indexer"
PICTURES_GROUP = "evergreen-indexer-pictures"
REPORTS_GROUP = "evergreen-indexer-reports"
_DATA_BATCH, _RECORDS_BATCH = 10, 1_000
_STOP_SECONDS = 25.0
log = structlog.get_logger(__name__)


class Indexer:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._on_pause = PoisonAlert(parts.store, parts.clock)
        self.stop = threading.Event()
        self.failed = threading.Event()
        self.loops = [self._data_loop(), self._records_loop(), self._pictures_loop(), self._reports_loop()]

    def _data_loop(self) -> StreamLoop:
        parts = self._parts
        stream = IndexStream(parts.index_batch, parts.store, self.stop)
        make = partial(BatchConsumer, parts.settings.kafka, DATA_GROUP, index_stream.TOPICS, max_batch=_DATA_BATCH)
        refresh = partial(refresh_seen_index, parts.seen_index, parts.lake, list(parts.datasets.values()))
        return StreamLoop(DATA_GROUP, make, stream.run, self.stop, prepare=refresh, on_pause=self._on_pause)

    def _records_loop(self) -> StreamLoop:
        make = partial(BatchConsumer, self._parts.settings.kafka, RECORDS_GROUP, record_stream.TOPICS, max_batch=_RECORDS_BATCH)
        return StreamLoop(RECORDS_GROUP, make, self._record, self.stop, on_pause=self._on_pause)

    def _pictures_loop(self) -> StreamLoop:
        make = partial(BatchConsumer, self._parts.settings.kafka, PICTURES_GROUP, drift_evidence.TOPICS, max_batch=1)
        return StreamLoop(PICTURES_GROUP, make, lambda messages: self._parts.drift_evidence.of_messages(messages), self.stop)

    def _reports_loop(self) -> StreamLoop:
        make = partial(BatchConsumer, self._parts.settings.kafka, REPORTS_GROUP, retrain_report.TOPICS, max_batch=10)
        return StreamLoop(REPORTS_GROUP, make, lambda messages: self._parts.retrain_reports.of_messages(messages), self.stop)

    def _record(self, messages: Sequence[Received]) -> list[Place]:
        return list(self._parts.record_stream.run(messages).poison)

    def run(self) -> int:
        """Until told to stop. 0 after a stop, 1 after a loop failed."""
        threads = [threading.Thread(target=self._guarded, args=(loop,), name=loop.name, daemon=True) for loop in self.loops]
        for thread in threads:
            thread.start()
        self._until_ready()
        self.stop.wait()
        self._parts.drift_pictures.close()
        for thread in threads:
            thread.join(timeout=_STOP_SECONDS)
        return 1 if self.failed.is_set() or any(thread.is_alive() for thread in threads) else 0

    def _until_ready(self) -> None:
        while not self.stop.wait(0.1):
            if all(loop.ready.is_set() for loop in self.loops):
                mark_ready(self._parts.settings.home, SERVICE)
                log.info("ready")
                return

    def _guarded(self, loop: StreamLoop) -> None:
        try:
            loop.run()
        except Exception:
            log.exception("loop_failed", loop=loop.name)
            self.failed.set()
        finally:
            self.stop.set()


def main() -> None:
    settings = load_settings()
    configure_logging(settings, SERVICE)
    indexer = Indexer(Parts(settings))

    def end(_signal: int, _frame: FrameType | None) -> None:
        indexer.stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    sys.exit(indexer.run())


if __name__ == "__main__":
    main()
