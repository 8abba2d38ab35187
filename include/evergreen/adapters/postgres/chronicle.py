"""The loop's history out of events, decisions, actions and deployments. Read only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from evergreen.adapters.postgres.store import PostgresStore
from evergreen.ports.chronicle import Happened, Latencies

_AFTER = """
SELECT e.seq, e.id, e.type, e.subject, e.time, e.data,
       coalesce((SELECT array_agg(a.kind ORDER BY a.created_at) FROM actions a
                 WHERE a.causes @> jsonb_build_array(jsonb_build_object('source', e.source, 'id', e.id))), '{}'),
       (SELECT max(d.recorded_at) FROM decisions d WHERE d.event_source = e.source AND d.event_id = e.id)
FROM events e
WHERE e.seq > %s AND EXISTS (SELECT FROM decisions d WHERE d.event_source = e.source AND d.event_id = e.id)
ORDER BY e.seq
"""
# The stamps are wall time. An event of the tick has no producer: it is not a latency.
_EVENT_TO_DECISION = """
SELECT percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM d.recorded_at - e.produced_at) * 1000)
FROM events e JOIN decisions d ON (d.event_source, d.event_id) = (e.source, e.id)
WHERE e.produced_at IS NOT NULL
"""
# From the moment an action may run (asked for, and no other of its kind and model still out) to the first line of its work.
_ACTION_TO_RUN = """
SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM started_at - greatest(created_at, free_at)))
FROM (
    SELECT a.created_at, a.started_at,
           (SELECT max(o.finished_at) FROM actions o
            WHERE o.kind = a.kind AND o.model = a.model AND o.id <> a.id AND o.started_at < a.started_at) AS free_at
    FROM actions a
    WHERE a.started_at IS NOT NULL AND a.attempts = 1 AND a.due_at <= a.accepted_at
) runs
"""


class PostgresChronicle:
    def __init__(self, store: PostgresStore) -> None:
        self._store = store

    def after(self, seq: int) -> list[Happened]:
        return [Happened(row[0], row[1], row[2], row[3], row[4], row[5], tuple(row[6]), row[7]) for row in self._rows(_AFTER, (seq,))]

    def latencies(self) -> Latencies:
        return Latencies(self._number(_EVENT_TO_DECISION), self._number(_ACTION_TO_RUN))

    def champions(self, model: str) -> list[str]:
        rows = self._rows("SELECT version FROM deployments WHERE model = %s AND status = 'confirmed' ORDER BY flipped_at", (model,))
        return [f"{model}@{version}" for (version,) in rows]

    def is_stable(self, model: str, version: int) -> bool:
        rows = self._rows("SELECT stable FROM model_versions WHERE model = %s AND version = %s", (model, version))
        return bool(rows and rows[0][0])

    def newest_data(self) -> datetime | None:
        newest: datetime | None = self._rows("SELECT max(time) FROM events WHERE type = 'data_ingested'", ())[0][0]
        return newest

    def _number(self, query: str) -> float | None:
        value = self._rows(query, ())[0][0]
        return None if value is None else float(value)

    def _rows(self, query: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        with self._store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute(query, values)
            return cursor.fetchall()
