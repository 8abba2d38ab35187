"""The outbox without a database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from evergreen.adapters.memory.tables import OPEN, StoredMessage, Tables
from evergreen.contracts.envelope import CONTENT_TYPE, Event, derived_id, encode, stamped
from evergreen.contracts.topics import DEAD_LETTER, TOPIC_OF
from evergreen.core.clock import wall_now
from evergreen.ports.messaging import Headers, Outgoing


class MemoryOutbox:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def publish(self, event: Event) -> None:
        body = encode(stamped(event, wall_now()))
        self._add(TOPIC_OF[event.type], event.subject.encode(), body, (("content-type", CONTENT_TYPE.encode()),), event.id)

    def publish_all(self, events: Sequence[Event]) -> None:
        for event in events:
            self.publish(event)

    def ring(self, action_id: UUID) -> bool:
        request = derived_id(action_id, "action_requested")
        found = next((one for one in self._tables.outbox.values() if one.event_id == request), None)
        if found is None:
            return False
        self._add(found.topic, found.key, found.value, found.headers, None)
        return True

    def dead_letter(self, key: bytes | None, value: bytes | None, headers: Mapping[str, str], original: Headers = (), letter_id: str | None = None) -> None:
        self._add(DEAD_LETTER, key, value, (*original, *((name, text.encode()) for name, text in headers.items())), letter_id)

    def unsent(self, limit: int) -> list[Outgoing]:
        return [one.outgoing() for one in self._tables.outbox.values() if one.sent_at is None][:limit]

    def mark_sent(self, seqs: Sequence[int]) -> None:
        for seq in seqs:
            self._tables.outbox[seq] = replace(self._tables.outbox[seq], sent_at=wall_now())

    def replace_value(self, seq: int, value: bytes, headers: Headers) -> None:
        self._tables.outbox[seq] = replace(self._tables.outbox[seq], value=value, headers=tuple(headers))

    def prune(self, keep: timedelta) -> int:
        kept = {derived_id(one.action.id, "action_requested") for one in self._tables.actions.values() if one.status in OPEN}
        old = [one.seq for one in self._tables.outbox.values() if one.sent_at is not None and one.sent_at < wall_now() - keep and one.event_id not in kept]
        for seq in old:
            del self._tables.outbox[seq]
        return len(old)

    def _add(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers, event_id: str | None) -> None:
        if event_id is not None and any(one.event_id == event_id for one in self._tables.outbox.values()):
            return
        self._tables.last_message += 1
        message = StoredMessage(self._tables.last_message, topic, key, value, tuple(headers), event_id)
        self._tables.outbox[message.seq] = message
