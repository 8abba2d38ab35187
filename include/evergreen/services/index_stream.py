"""`data_processed` messages to indexed batches. What cannot be read is intake's, which reads the same topic and owns its dead letters."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import structlog

from evergreen.contracts.envelope import decode
from evergreen.contracts.events import DataProcessed
from evergreen.contracts.topics import payload_of
from evergreen.core.errors import Unavailable
from evergreen.ports.index import IndexStore
from evergreen.ports.messaging import Received
from evergreen.services.dead_letters import Poison
from evergreen.services.index import IndexBatch

TOPICS = ("data.processed",)
ATTEMPTS = 3
_BETWEEN_ATTEMPTS = 1.0
log = structlog.get_logger(__name__)


class IndexStream:
    def __init__(self, index: IndexBatch, store: IndexStore, stop: threading.Event) -> None:
        self._index = index
        self._store = store
        self._stop = stop

    def run(self, messages: Sequence[Received]) -> set[tuple[str, int, int]]:
        """In order. Returns where the messages stood that went to the dead letters. Raises Unavailable: call again with the same batch."""
        poison = [letter for message in messages if (letter := self._one(message)) is not None]
        if poison:
            with self._store.transaction() as tx:
                for letter in poison:
                    tx.outbox.dead_letter(letter.message.key, letter.message.value, letter.headers(), letter.message.headers, letter.letter_id)
        return {(letter.message.topic, letter.message.partition, letter.message.offset) for letter in poison}

    def _one(self, message: Received) -> Poison | None:
        batch = _batch_of(message)
        if batch is None:
            return None
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._index.run(batch)
                return None
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 - the edge where messages enter: after the last attempt it is a dead letter with the cause in it
                log.warning("batch_not_indexed", batch_id=batch.batch_id, attempt=attempt, error=f"{type(error).__name__}: {error}")
                failed = Poison(message, "handler_failed", type(error).__name__, str(error), attempts=attempt)
                self._stop.wait(_BETWEEN_ATTEMPTS)
        return failed


def _batch_of(message: Received) -> DataProcessed | None:
    try:
        payload = payload_of(decode(message.value or b""))
    except Exception:  # noqa: BLE001 - the edge where messages enter: whatever is wrong with this one, intake says so
        return None
    return payload if isinstance(payload, DataProcessed) else None
