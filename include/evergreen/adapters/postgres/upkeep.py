"""Retention and reconciliation in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import psycopg2.extensions

_LOOSE_ENDS = {
    "events_undecided": """SELECT count(*) FROM events e WHERE received_at < clock_timestamp() - %(age)s
        AND NOT EXISTS (SELECT FROM decisions d WHERE d.event_source = e.source AND d.event_id = e.id)""",
    "outbox_unsent": "SELECT count(*) FROM outbox WHERE sent_at IS NULL AND created_at < clock_timestamp() - %(age)s",
    "leases_run_out": "SELECT count(*) FROM actions WHERE status IN ('claimed', 'running') AND lease_until < clock_timestamp() - %(age)s",
    "actions_unclaimed": """SELECT count(*) FROM actions WHERE status = 'pending' AND created_at < clock_timestamp() - %(age)s
        AND rung_at < clock_timestamp() - %(age)s""",
    "batches_unindexed": """SELECT count(*) FROM batches b WHERE status = 'accepted' AND recorded_at < clock_timestamp() - %(age)s
        AND NOT EXISTS (SELECT FROM indexed_batches i WHERE i.dataset = b.dataset AND i.batch_id = b.batch_id AND i.sha256 = b.sha256)""",
}


class PostgresUpkeep:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def drop_partitions(self, table: str, before: date) -> Sequence[str]:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT drop_partitions(%s, %s)", (table, before))
            return [name for (name,) in cursor.fetchall()]

    def loose_ends(self, older_than: timedelta) -> Mapping[str, int]:
        counts = {}
        with self._connection.cursor() as cursor:
            for name, query in _LOOSE_ENDS.items():
                cursor.execute(query, {"age": older_than})
                row = cursor.fetchone()
                counts[name] = 0 if row is None else int(row[0])
        return counts
