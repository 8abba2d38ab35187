"""Table `champions`: changed by compare-and-set on the epoch, never otherwise."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import psycopg2.extensions

from evergreen.ports.champions import ChampionRow

_SELECT = "SELECT model, version, epoch, deployment_id, since FROM champions"


class PostgresChampions:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def get(self, model: str) -> ChampionRow | None:
        return self._one(f"{_SELECT} WHERE model = %s", model)

    def lock(self, model: str) -> ChampionRow | None:
        with self._connection.cursor() as cursor:  # before the first champion there is no row to lock
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('champion:' || %s))", (model,))
        return self._one(f"{_SELECT} WHERE model = %s FOR UPDATE", model)

    def all(self) -> list[ChampionRow]:
        with self._connection.cursor() as cursor:
            cursor.execute(f"{_SELECT} ORDER BY model")
            return [ChampionRow(*row) for row in cursor.fetchall()]

    def compare_and_set(self, model: str, version: int, *, seen_epoch: int, deployment_id: UUID, since: datetime) -> bool:
        values = {"model": model, "version": version, "seen": seen_epoch, "deployment": deployment_id, "since": since}
        with self._connection.cursor() as cursor:
            if seen_epoch == 0:
                cursor.execute(
                    """INSERT INTO champions (model, version, epoch, deployment_id, since) VALUES (%(model)s, %(version)s, 1, %(deployment)s, %(since)s)
                       ON CONFLICT (model) DO NOTHING""",
                    values,
                )
            else:
                cursor.execute(
                    """UPDATE champions SET version = %(version)s, epoch = epoch + 1, deployment_id = %(deployment)s, since = %(since)s
                       WHERE model = %(model)s AND epoch = %(seen)s""",
                    values,
                )
            return cursor.rowcount == 1

    def _one(self, query: str, model: str) -> ChampionRow | None:
        with self._connection.cursor() as cursor:
            cursor.execute(query, (model,))
            row = cursor.fetchone()
        return None if row is None else ChampionRow(*row)
