"""What is under way, counted in one statement."""

from __future__ import annotations

from datetime import datetime

import psycopg2.extensions

from evergreen.adapters.postgres.pauses import FREE
from evergreen.ports.records import Work


class PostgresWork:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def count(self, now: datetime) -> Work:
        with self._connection.cursor() as cursor:
            # Of the events only the newest: one transaction writes an event with its decision.
            cursor.execute(
                f"""SELECT
                    (SELECT count(*) FROM (SELECT source, id FROM events ORDER BY seq DESC LIMIT 1000) e
                        WHERE NOT EXISTS (SELECT FROM decisions d WHERE d.event_source = e.source AND d.event_id = e.id)),
                    (SELECT count(*) FROM outbox WHERE sent_at IS NULL),
                    (SELECT count(*) FROM actions WHERE status = 'pending' AND {FREE} AND due_at <= %(now)s),
                    (SELECT count(*) FROM actions WHERE status IN ('claimed', 'running')),
                    (SELECT min(due_at) FROM actions WHERE status = 'pending' AND due_at > %(now)s),
                    (SELECT coalesce(max(seq), 0) FROM events),
                    (SELECT coalesce(max(seq), 0) FROM outbox)""",
                {"now": now},
            )
            undecided, unsent, due, out, next_due, newest_event, newest_row = cursor.fetchone() or (0,) * 7
        return Work(undecided, unsent, due, out, next_due or None, (newest_event, newest_row))
