"""Tables `interactions` and `forgotten_users`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import psycopg2.extensions
from psycopg2.extras import execute_values

from evergreen.adapters.postgres.partitions import ensure_partitions
from evergreen.core.earlier import Earlier, earlier_of, entity_of
from evergreen.core.recommending import MODEL
from evergreen.ports.interactions import EventKey, InteractionRow, days_of
from evergreen.ports.profiles import Place

_PLACE = "stream, topic_id, kafka_partition, kafka_offset"
_COLUMNS = f"source, id, time, user_id, kind, item_ids, rating, note, context, genres, {_PLACE}"
_REPEATED_WITHIN = timedelta(days=2)
"""As of the other high-volume tables: a repeat with another time comes within a day."""
_PAGE = 500


class PostgresInteractions:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def record(self, rows: Sequence[InteractionRow]) -> dict[EventKey, Place]:
        unique: dict[EventKey, InteractionRow] = {}
        for row in rows:
            unique.setdefault(row.key, row)
        if not unique:
            return {}
        ensure_partitions(self._connection, "interactions", days_of(rows))
        there = self._places(unique.values())
        fresh = [row for key, row in unique.items() if key not in there]
        if fresh:
            with self._connection.cursor() as cursor:
                statement = f"INSERT INTO interactions ({_COLUMNS}) VALUES %s ON CONFLICT DO NOTHING RETURNING source, id"
                inserted = set(execute_values(cursor, statement, [_values(row) for row in fresh], page_size=_PAGE, fetch=True))
            if lost := [row for row in fresh if row.key not in inserted]:  # another worker was faster, from another place
                there |= self._places(lost)
        repeated = {row.key: unique[row.key].place for row in rows if row is not unique[row.key]}
        return {**repeated, **there}

    def of_users(self, users: Sequence[str]) -> list[InteractionRow]:
        return self._select("WHERE user_id = ANY(%s) ORDER BY time, source, id", (list(users),))

    def users(self, after: str, limit: int) -> list[str]:
        """A step of the index each, not a sort of all rows."""
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT DISTINCT user_id FROM interactions WHERE user_id > %s ORDER BY user_id LIMIT %s", (after, limit))
            return [user for (user,) in cursor.fetchall()]

    def of_day(self, day: date) -> list[InteractionRow]:
        return self._select("WHERE time >= %s AND time < %s ORDER BY time, source, id", _bounds(day, day))

    def days(self, first: date, last: date) -> list[date]:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT DISTINCT (time AT TIME ZONE 'UTC')::date FROM interactions WHERE time >= %s AND time < %s ORDER BY 1", _bounds(first, last))
            return [day for (day,) in cursor.fetchall()]

    def forgotten(self, users: Sequence[str]) -> dict[str, datetime]:
        hashes = {_hash(user): user for user in users}
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT user_hash, forgotten_time FROM forgotten_users WHERE user_hash = ANY(%s)", (list(hashes),))
            return {hashes[found]: at for found, at in cursor.fetchall()}

    def hold(self) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute("LOCK TABLE forgotten_users IN SHARE MODE")

    def earlier(self, users: Sequence[str]) -> dict[str, Earlier]:
        entities = {entity_of(user): user for user in users}
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT entity, features FROM online_features WHERE model = %s AND entity = ANY(%s)", (MODEL, list(entities)))
            return {entities[entity]: earlier_of(features) for entity, features in cursor.fetchall()}

    def forget(self, user: str, now: datetime) -> dict[str, int]:
        of_model = "model = %s AND starts_with(entity, %s) AND strpos(substr(entity, %s), ':') = 0"  # user:item, and a user's id may hold colons
        theirs = (MODEL, f"{user}:", len(user) + 2)
        gone: dict[str, int] = {}
        with self._connection.cursor() as cursor:
            cursor.execute(
                """INSERT INTO forgotten_users VALUES (%s, %s)
                   ON CONFLICT (user_hash) DO UPDATE SET forgotten_time = greatest(forgotten_users.forgotten_time, excluded.forgotten_time)""",
                (_hash(user), now),
            )
            for table, where, values in (
                ("interactions", "user_id = %s", (user,)),
                ("exposures", "user_id = %s", (user,)),
                ("predictions", of_model, theirs),
                ("feedback", of_model, theirs),
                ("online_features", "model = %s AND entity = %s", (MODEL, entity_of(user))),
                ("outbox", "topic = 'dead.letter' AND key = %s", (user.encode(),)),
            ):
                cursor.execute(f"DELETE FROM {table} WHERE {where}", values)
                gone[table] = cursor.rowcount
        return gone

    def _places(self, rows: Iterable[InteractionRow]) -> dict[EventKey, Place]:
        wanted = list(rows)
        times = [row.time for row in wanted]
        with self._connection.cursor() as cursor:
            cursor.execute(
                f"""SELECT source, id, {_PLACE} FROM interactions WHERE (source, id) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
                    AND time BETWEEN %s AND %s""",
                ([row.source for row in wanted], [row.id for row in wanted], min(times) - _REPEATED_WITHIN, max(times) + _REPEATED_WITHIN),
            )
            return {(source, event_id): Place(*place) for source, event_id, *place in cursor.fetchall()}

    def _select(self, clause: str, values: tuple[object, ...]) -> list[InteractionRow]:
        with self._connection.cursor() as cursor:
            cursor.execute(f"SELECT {_COLUMNS} FROM interactions {clause}", values)
            return [_row(found) for found in cursor.fetchall()]


def _hash(user: str) -> str:
    return hashlib.sha256(user.encode()).hexdigest()


def _bounds(first: date, last: date) -> tuple[datetime, datetime]:
    return datetime.combine(first, time(), UTC), datetime.combine(last + timedelta(days=1), time(), UTC)


def _values(row: InteractionRow) -> tuple[Any, ...]:
    place = row.place
    bodies = (json.dumps(dict(row.context)), json.dumps({item: list(genres) for item, genres in row.genres.items()}))
    said = (row.source, row.id, row.time, row.user_id, row.kind, list(row.item_ids), row.rating, row.note, *bodies)
    return (*said, place.stream, place.topic_id, place.partition, place.offset)


def _row(found: Sequence[Any]) -> InteractionRow:
    source, event_id, at, user, kind, items, rating, note, context, genres, *place = found
    return InteractionRow(source, event_id, at, user, kind, tuple(items), rating, note, _mapping(context), _mapping(genres), Place(*place))


def _mapping(found: Mapping[str, Any]) -> Mapping[str, Any]:
    return found
