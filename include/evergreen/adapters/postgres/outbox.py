"""Table `outbox`: what this transaction says to Kafka, sent by the relay after the commit."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

import psycopg2.extensions
from psycopg2.extras import execute_values

from evergreen.contracts.envelope import CONTENT_TYPE, Event, derived_id, encode, stamped
from evergreen.contracts.topics import ACTIONS, DEAD_LETTER, TOPIC_OF
from evergreen.core.clock import wall_now
from evergreen.ports.messaging import Headers, Outgoing

MAX_BYTES_AT_ONCE = 16 * 1024 * 1024
"""Dead letters may be large and come by the thousand."""


class PostgresOutbox:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def publish(self, event: Event) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(
                """INSERT INTO outbox (topic, key, value, headers, event_id) VALUES (%s, %s, %s, %s, %s)
                   ON CONFLICT (event_id) WHERE event_id IS NOT NULL DO NOTHING""",
                (TOPIC_OF[event.type], event.subject.encode(), encode(stamped(event, wall_now())), json.dumps({"content-type": CONTENT_TYPE}), event.id),
            )

    def publish_all(self, events: Sequence[Event]) -> None:
        if not events:
            return
        headers, wall = json.dumps({"content-type": CONTENT_TYPE}), wall_now()
        rows = [(TOPIC_OF[one.type], one.subject.encode(), encode(stamped(one, wall)), headers, one.id) for one in events]
        with self._connection.cursor() as cursor:
            statement = "INSERT INTO outbox (topic, key, value, headers, event_id) VALUES %s ON CONFLICT (event_id) WHERE event_id IS NOT NULL DO NOTHING"
            execute_values(cursor, statement, rows, page_size=500)

    def ring(self, action_id: UUID) -> bool:
        with self._connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO outbox (topic, key, value, headers) SELECT topic, key, value, headers FROM outbox WHERE event_id = %s AND topic = %s",
                (derived_id(action_id, "action_requested"), ACTIONS),
            )
            return cursor.rowcount > 0

    def dead_letter(self, key: bytes | None, value: bytes | None, headers: Mapping[str, str], original: Headers = (), letter_id: str | None = None) -> None:
        pairs = [*original, *((name, text.encode()) for name, text in headers.items())]
        with self._connection.cursor() as cursor:
            cursor.execute(
                """INSERT INTO outbox (topic, key, value, headers, event_id) VALUES (%s, %s, %s, %s, %s)
                   ON CONFLICT (event_id) WHERE event_id IS NOT NULL DO NOTHING""",
                (DEAD_LETTER, key, value, json.dumps(pack_headers(pairs)), letter_id),
            )

    def unsent(self, limit: int) -> list[Outgoing]:
        with self._connection.cursor() as cursor:
            cursor.execute(
                """SELECT seq, topic, key, value, headers FROM (
                       SELECT *, sum(octet_length(value)) OVER (ORDER BY seq) AS bytes, row_number() OVER (ORDER BY seq) AS place
                       FROM (SELECT * FROM outbox WHERE sent_at IS NULL ORDER BY seq LIMIT %s) oldest) sized
                   WHERE place = 1 OR coalesce(bytes, 0) <= %s ORDER BY seq""",
                (limit, MAX_BYTES_AT_ONCE),
            )
            return [Outgoing(seq, topic, _bytes(key), _bytes(value), unpack_headers(headers)) for seq, topic, key, value, headers in cursor.fetchall()]

    def mark_sent(self, seqs: Sequence[int]) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute("UPDATE outbox SET sent_at = clock_timestamp() WHERE seq = ANY(%s)", (list(seqs),))

    def replace_value(self, seq: int, value: bytes, headers: Headers) -> None:
        """For a message the broker will never take as it is."""
        with self._connection.cursor() as cursor:
            cursor.execute("UPDATE outbox SET value = %s, headers = %s WHERE seq = %s", (value, json.dumps(pack_headers(headers)), seq))

    def prune(self, keep: timedelta) -> int:
        with self._connection.cursor() as cursor:
            # The request of an open action stays: it is what the sweeper rings with.
            cursor.execute("SELECT id FROM actions WHERE status IN ('pending', 'claimed', 'running')")
            kept = [derived_id(action_id, "action_requested") for (action_id,) in cursor.fetchall()]
            cursor.execute("DELETE FROM outbox WHERE sent_at < clock_timestamp() - %s AND (event_id IS NULL OR event_id <> ALL(%s))", (keep, kept))
            return cursor.rowcount


def pack_headers(headers: Headers) -> list[list[str | None]]:
    """JSON holds neither bytes nor a name twice; Kafka's headers may be both."""
    return [[name, None if value is None else base64.b64encode(value).decode()] for name, value in headers]


def unpack_headers(stored: Mapping[str, str] | Sequence[Sequence[str | None]]) -> Headers:
    if isinstance(stored, Mapping):
        return tuple((name, text.encode()) for name, text in stored.items())
    return tuple((str(name), None if value is None else base64.b64decode(value)) for name, value in stored)


def _bytes(value: memoryview | None) -> bytes | None:
    return None if value is None else bytes(value)
