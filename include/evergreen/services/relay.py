"""The relay: what transactions said to Kafka, sent after their commit.

Guarantee: every outbox row is sent at least once, those of one key in their order. Failure: the relay dies between the acknowledgement
and `sent_at`, Kafka is away, two relays lead for a moment. Remedy: rows without `sent_at` are sent again with the same bytes and the
same event id, which every consumer takes for the repeat it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import structlog

from evergreen.contracts.topics import DEAD_LETTER
from evergreen.ports.messaging import Messenger, Outgoing, SendFault
from evergreen.ports.storage import Store
from evergreen.services.dead_letters import OURS

BATCH = 500
KEEP_SENT = timedelta(days=7)
KEPT_OF_OVERSIZE = 64 * 1024
log = structlog.get_logger(__name__)


class Relay:
    def __init__(self, store: Store, messenger: Messenger) -> None:
        self._store = store
        self._messenger = messenger

    def run(self) -> tuple[int, int]:
        """One round: how many were sent, how many were tried in vain."""
        with self._store.transaction() as tx:
            rows = tx.outbox.unsent(BATCH)
        if not rows:
            return 0, 0
        faults = self._messenger.send(rows)
        sent = _in_order(rows, faults)
        with self._store.transaction() as tx:
            tx.outbox.mark_sent(sent)
        for row, fault in zip(rows, faults, strict=True):
            if fault is not None and fault.permanent:
                self._shorten(row, fault)
        if len(sent) < len(rows):
            first = next((fault.why for fault in faults if fault is not None), "")
            log.warning("relay_faults", sent=len(sent), waiting=len(rows) - len(sent), first=first)
        return len(sent), len(rows) - len(sent)

    def prune(self) -> int:
        """Remove what was sent long ago."""
        with self._store.transaction() as tx:
            return tx.outbox.prune(KEEP_SENT)

    def _shorten(self, row: Outgoing, fault: SendFault) -> None:
        """A message no broker takes would block its key for ever: its beginning is kept, and where the whole of it stands."""
        log.error("too_large_for_kafka", topic=row.topic, seq=row.seq, size=len(row.value or b""), why=fault.why)
        ours = [(name, value) for name, value in row.headers if row.topic != DEAD_LETTER or name in OURS]
        headers = [*ours, ("shortened_from", str(len(row.value or b"")).encode())]
        with self._store.transaction() as tx:
            tx.outbox.replace_value(row.seq, (row.value or b"")[:KEPT_OF_OVERSIZE], headers)


def _in_order(rows: Sequence[Outgoing], faults: Sequence[SendFault | None]) -> list[int]:
    """Acknowledged ones, per key up to the first that was not: the ones behind it go again after it."""
    broken: set[tuple[str, bytes]] = set()
    sent = []
    for row, fault in zip(rows, faults, strict=True):
        key = None if row.key is None else (row.topic, row.key)
        if fault is not None:
            if key is not None:
                broken.add(key)
        elif key is None or key not in broken:
            sent.append(row.seq)
    return sent
