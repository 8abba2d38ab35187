"""Table `decisions`: per model a chain that only grows at its end, one writer at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import psycopg2.extensions
from psycopg2.extras import RealDictCursor, execute_values

from evergreen.ports.records import DecisionRow, Head

_COLUMNS = "model, seq, event_source, event_id, event_type, policy_hash, decided_at, severity, rule, outcome, body, prev_hash, hash"
_NAMES = tuple(_COLUMNS.split(", "))


class PostgresDecisions:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def lock(self, models: Sequence[str]) -> None:
        with self._connection.cursor() as cursor:
            for model in sorted(models):
                cursor.execute("SELECT pg_advisory_xact_lock(hashtext('model:' || %s))", (model,))

    def heads(self, models: Sequence[str]) -> Mapping[str, Head]:
        with self._connection.cursor() as cursor:
            cursor.execute(
                """SELECT m.model, d.seq, d.hash FROM unnest(%s::text[]) m(model)
                   CROSS JOIN LATERAL (SELECT seq, hash FROM decisions WHERE model = m.model ORDER BY seq DESC LIMIT 1) d""",
                (list(models),),
            )
            return {model: Head(seq, digest) for model, seq, digest in cursor.fetchall()}

    def append(self, rows: Sequence[DecisionRow]) -> None:
        if not rows:
            return
        with self._connection.cursor() as cursor:
            values = [tuple(getattr(row, name) for name in _NAMES) for row in rows]
            execute_values(cursor, f"INSERT INTO decisions ({_COLUMNS}) VALUES %s", values, page_size=500)

    def of_event(self, source: str, event_id: str) -> list[DecisionRow]:
        return self._select("WHERE event_source = %s AND event_id = %s ORDER BY model", (source, event_id))

    def at(self, model: str, seq: int) -> DecisionRow | None:
        return next(iter(self._select("WHERE model = %s AND seq = %s", (model, seq))), None)

    def newest(self, limit: int) -> list[DecisionRow]:
        return self._select("ORDER BY recorded_at DESC, model, seq DESC LIMIT %s", (limit,))

    def models(self) -> list[str]:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT DISTINCT model FROM decisions ORDER BY model")
            return [model for (model,) in cursor.fetchall()]

    def chain(self, model: str) -> Iterator[DecisionRow]:
        with self._connection.cursor(name="chain", cursor_factory=RealDictCursor) as cursor:
            cursor.itersize = 2000
            cursor.execute(f"SELECT {_COLUMNS} FROM decisions WHERE model = %s ORDER BY seq", (model,))
            for found in cursor:
                yield DecisionRow(**found)

    def recorded(self, since: datetime | None = None, until: datetime | None = None) -> Iterator[tuple[DecisionRow, Mapping[str, Any]]]:
        with self._connection.cursor(name="recorded", cursor_factory=RealDictCursor) as cursor:
            cursor.itersize = 2000
            cursor.execute(
                f"""SELECT {", ".join(f"d.{name}" for name in _NAMES)}, e.type, e.subject, e.time, e.data, e.extensions
                    FROM decisions d JOIN events e ON e.source = d.event_source AND e.id = d.event_id
                    WHERE (%(since)s::timestamptz IS NULL OR d.decided_at >= %(since)s) AND (%(until)s::timestamptz IS NULL OR d.decided_at < %(until)s)
                    ORDER BY e.seq, d.model""",
                {"since": since, "until": until},
            )
            for found in cursor:
                row = DecisionRow(**{name: found[name] for name in _NAMES})
                said = {name: found[name] for name in ("type", "subject", "time", "data", "extensions")}
                yield row, {"id": row.event_id, "source": row.event_source, **said}

    def _select(self, condition: str, values: tuple[Any, ...]) -> list[DecisionRow]:
        with self._connection.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute(f"SELECT {_COLUMNS} FROM decisions {condition}", values)
            return [DecisionRow(**found) for found in cursor.fetchall()]
