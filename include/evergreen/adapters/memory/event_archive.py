"""Recorded events read again, without a database."""

from __future__ import annotations

from collections.abc import Iterator

from evergreen.adapters.memory.tables import Tables
from evergreen.ports.event_archive import Chosen
from evergreen.ports.records import EventRow


class MemoryEventArchive:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def count(self, chosen: Chosen) -> int:
        return sum(1 for _ in self.read(chosen))

    def read(self, chosen: Chosen) -> Iterator[EventRow]:
        return (row for row in list(self._tables.events.values()) if _is_chosen(row, chosen))


def _is_chosen(row: EventRow, chosen: Chosen) -> bool:
    event = row.event
    named = (not chosen.types or event.type in chosen.types) and (not chosen.ids or event.id in chosen.ids)
    return named and (chosen.since is None or event.time >= chosen.since) and (chosen.until is None or event.time < chosen.until)
