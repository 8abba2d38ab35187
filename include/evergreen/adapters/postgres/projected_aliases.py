"""Table `projected_aliases`."""

from __future__ import annotations

import json

import psycopg2.extensions

from evergreen.core.champion import ProjectedAliases


class PostgresProjectedAliases:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def hold(self, model: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('aliases:' || %s))", (model,))

    def get(self, model: str) -> ProjectedAliases | None:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT shown, writing FROM projected_aliases WHERE model = %s", (model,))
            row = cursor.fetchone()
        return None if row is None else ProjectedAliases(*row)

    def put(self, model: str, aliases: ProjectedAliases) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(
                """INSERT INTO projected_aliases (model, shown, writing) VALUES (%s, %s, %s)
                   ON CONFLICT (model) DO UPDATE SET shown = excluded.shown, writing = excluded.writing""",
                (model, json.dumps(dict(aliases.shown)), json.dumps(dict(aliases.writing))),
            )
