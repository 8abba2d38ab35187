"""Pages of the loop's records, newest first, by key and never by offset: a page costs the same wherever it lies, and nothing is seen twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evergreen.adapters.cursors import read_cursor, read_instant, read_uuid, read_whole, write_cursor
from evergreen.adapters.explanation_rows import EVENT_COLUMNS
from evergreen.contracts.api_records import Page

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Listing:
    """`key`: the columns that order it, unique together, with what reads each from a cursor. `filters`: field of the request -> condition."""

    select: str
    key: Sequence[tuple[str, Callable[[str], object]]]
    time: str
    filters: Mapping[str, str]

    def query(self, wanted: Page) -> tuple[str, list[object]]:
        """One row more than the page holds, to know whether another follows. Raises InvalidRequest for a cursor of something else."""
        conditions: list[str] = []
        values: list[object] = []

        def given(condition: str, *found: object) -> None:
            conditions.append(condition.format(*(f"${len(values) + place}" for place in range(1, len(found) + 1))))
            values.extend(found)

        for field, condition in {**self.filters, "since": f"{self.time} >= {{}}", "until": f"{self.time} < {{}}"}.items():
            value = getattr(wanted, field)
            if value is not None:
                given(condition, value)
        names = ", ".join(name for name, _ in self.key)
        if wanted.cursor is not None:
            parts = read_cursor(wanted.cursor, len(self.key))
            places = ", ".join("{}" for _ in parts)
            given(f"({names}) < ({places})", *(read(part) for (_, read), part in zip(self.key, parts, strict=True)))
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        order = ", ".join(f"{name} DESC" for name, _ in self.key)
        return f"{self.select}{where} ORDER BY {order} LIMIT {wanted.limit + 1}", values

    def page(self, rows: Sequence[Row], wanted: Page) -> tuple[Sequence[Row], str | None]:
        page = rows[: wanted.limit]
        if len(rows) <= wanted.limit:
            return page, None
        last = (page[-1][name.rpartition(".")[2]] for name, _ in self.key)
        return page, write_cursor(*(part.isoformat() if hasattr(part, "isoformat") else str(part) for part in last))


EVENTS = Listing(
    select=f"SELECT {EVENT_COLUMNS} FROM events e",
    key=(("e.time", read_instant), ("e.seq", read_whole)),
    time="e.time",
    filters={"type": "e.type = {}", "subject": "e.subject = {}", "source": "e.source = {}"},
)
DECISIONS = Listing(
    select="SELECT model, seq, event_type, event_id, decided_at, severity, rule, outcome, policy_hash, recorded_at, body FROM decisions",
    key=(("recorded_at", read_instant), ("model", str), ("seq", read_whole)),
    time="decided_at",
    # The body is canonical JSON; as text it can be looked into even where somebody broke it.
    filters={
        **{"model": "model = {}", "event_type": "event_type = {}", "outcome": "outcome = {}", "severity": "severity = {}"},
        "skip_ignored": "NOT ({}::boolean AND outcome = 'ignored')",
        "action": "position('\"action\":\"' || {}::text || '\"' in body) > 0",
    },
)
ACTIONS = Listing(
    select="""SELECT id, kind, model, target, reason, severity, priority, status, event_type, accepted_at, due_at, attempts, run_id, error FROM actions""",
    key=(("accepted_at", read_instant), ("id", read_uuid)),
    time="accepted_at",
    filters={"model": "model = {}", "kind": "kind = {}", "status": "status = {}"},
)
