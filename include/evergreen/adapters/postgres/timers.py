"""Table `timers`, the tick's memory, and what it needs to know of the champions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import psycopg2.extensions

from evergreen.core.concerns import Catalogue
from evergreen.ports.records import Trained


class PostgresTimers:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def last(self) -> Mapping[tuple[str, str], datetime]:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT timer, model, last_due FROM timers")
            return {(timer, model): last_due for timer, model, last_due in cursor.fetchall()}

    def set(self, timer: str, model: str, last_due: datetime) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO timers (timer, model, last_due) VALUES (%s, %s, %s) ON CONFLICT (timer, model) DO UPDATE SET last_due = excluded.last_due",
                (timer, model, last_due),
            )

    def champions(self, catalogue: Catalogue) -> Mapping[str, Trained]:
        with self._connection.cursor() as cursor:
            cursor.execute(
                """SELECT c.model, v.trained_from, v.trained_to - v.trained_from + 1,
                          (SELECT max(l.trained_to - l.trained_from + 1) FROM model_versions l WHERE l.model = c.model AND l.version >= c.version)
                   FROM champions c JOIN model_versions v ON v.model = c.model AND v.version = c.version"""
            )
            found = {}
            for model, trained_from, champion_days, longest_days in cursor.fetchall():
                cursor.execute(
                    "SELECT coalesce(max(last_day) - %s::date + 1, 0) FROM batches WHERE dataset = ANY(%s) AND status = 'accepted'",
                    (trained_from, list(catalogue.get(model, ()))),
                )
                available = cursor.fetchone()
                found[model] = Trained(champion_days, longest_days, int(available[0]) if available else 0)
            return found
