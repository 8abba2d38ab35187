"""Table `outbox`: what this transaction says to Kafka, sent by the relay after the commit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from uuid import UUID

import psycopg2.extensions

from evergreen.contracts.envelope import CONTENT_TYPE, Event, derived_id, encode
from evergreen.contracts.topics import ACTIONS, DEAD_LETTER, TOPIC_OF


class PostgresOutbox:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def publish(self, event: Event) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(
                """INSERT INTO outbox (topic, key, value, headers, event_id) VALUES (%s, %s, %s, %s, %s)
                   ON CONFLICT (event_id) WHERE event_id IS NOT NULL DO NOTHING""",
                (TOPIC_OF[event.type], event.subject.encode(), encode(event), json.dumps({"content-type": CONTENT_TYPE}), event.id),
            )

    def ring(self, action_id: UUID) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO outbox (topic, key, value, headers) SELECT topic, key, value, headers FROM outbox WHERE event_id = %s AND topic = %s",
                (derived_id(action_id, "action_requested"), ACTIONS),
            )

    def dead_letter(self, key: bytes | None, value: bytes | None, headers: Mapping[str, str]) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute("INSERT INTO outbox (topic, key, value, headers) VALUES (%s, %s, %s, %s)", (DEAD_LETTER, key, value, json.dumps(dict(headers))))
