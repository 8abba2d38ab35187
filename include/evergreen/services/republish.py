"""`evergreen events replay`: recorded control events put onto their topics again.

Guarantee: with its own id an event goes out as it was said, so that intake takes it for the duplicate it is and changes nothing; with a new id
it is another event, caused by the recorded one. Failure: Kafka does not acknowledge. Remedy: what was sent is counted and the rest named; with
their own ids all may be sent again. An event that can no longer be said byte for byte keeps its place in the table and is not sent: under its
old id it would be a dead letter (`id_reused`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, timedelta, timezone
from itertools import islice

from evergreen.contracts.envelope import CONTENT_TYPE, Event, encode, new_id, stamped
from evergreen.contracts.topics import TOPIC_OF
from evergreen.core.clock import wall_now
from evergreen.core.errors import PublishFailed
from evergreen.ports.event_archive import ArchiveStore, Chosen
from evergreen.ports.messaging import Messenger, Outgoing
from evergreen.ports.records import EventRow

BATCH = 500
CAUSE = "causationid"
"""Extension of an event with a new id: the one it repeats."""
MADE_HERE, UNFAITHFUL = "the tick wrote it: it has no topic", "its recorded form no longer gives its content hash"
_HEADERS = (("content-type", CONTENT_TYPE.encode()),)
_OFFSETS = [UTC, *(timezone(timedelta(minutes=quarter * 15)) for quarter in range(-48, 57))]
"""In which an event may have been said: its instant is recorded, its content hash tells which one it was."""


@dataclass
class Republished:
    matched: int = 0
    sent: int = 0
    types: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    """By reason."""


class Republish:
    """`messenger`: None looks only."""

    def __init__(self, store: ArchiveStore, messenger: Messenger | None, *, new_ids: bool = False) -> None:
        self._store = store
        self._messenger = messenger
        self._new_ids = new_ids

    def run(self, chosen: Chosen, told: Callable[[Republished, Event], None] = lambda _done, _event: None) -> Republished:
        """`told` hears of each event that goes out (or would). Raises PublishFailed, which says how many were acknowledged before."""
        done = Republished()
        with self._store.transaction() as tx:
            done.matched = tx.archive.count(chosen)
            events = self._said(tx.archive.read(chosen), done)
            while batch := list(islice(events, BATCH)):
                self._send(batch, done)
                for event in batch:
                    done.types[event.type] += 1
                    told(done, event)
        return done

    def _said(self, rows: Iterator[EventRow], done: Republished) -> Iterator[Event]:
        for row in rows:
            event = self._again(row)
            if row.event.type not in TOPIC_OF:
                done.skipped[MADE_HERE] += 1
            elif event is None:
                done.skipped[UNFAITHFUL] += 1
            else:
                yield event

    def _again(self, row: EventRow) -> Event | None:
        event = row.event
        if self._new_ids:
            kept = {name: value for name, value in event.extensions.items() if name != "producedwall"}
            return stamped(event.model_copy(update={"id": new_id(), "extensions": {**kept, CAUSE: event.id}}), wall_now())
        said = (event.model_copy(update={"time": event.time.astimezone(offset)}) for offset in _OFFSETS)
        return next((one for one in said if one.content_hash() == row.content_hash), None)

    def _send(self, events: list[Event], done: Republished) -> None:
        if self._messenger is None:
            return
        messages = [Outgoing(place, TOPIC_OF[event.type], event.subject.encode(), encode(event), _HEADERS) for place, event in enumerate(events)]
        faults = self._messenger.send(messages)
        done.sent += sum(fault is None for fault in faults)
        failed = next(((event, fault) for event, fault in zip(events, faults, strict=True) if fault is not None), None)
        if failed is not None:
            event, fault = failed
            again = "those with new ids are there: choose the rest with --from or --id" if self._new_ids else "send them all again, the ids are the same"
            raise PublishFailed(f"{done.sent} were acknowledged, {event.type} {event.id} was not: {fault.why}; {again}")
