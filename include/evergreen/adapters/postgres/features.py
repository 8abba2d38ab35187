"""Table `online_features`."""

from __future__ import annotations

import json
from collections.abc import Sequence

import psycopg2.extensions
from psycopg2.extras import execute_values

from evergreen.ports.index import FeatureRow


class PostgresFeatures:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def upsert(self, rows: Sequence[FeatureRow]) -> None:
        ordered = sorted(rows, key=lambda row: (row.model, row.entity))
        values = [(row.model, row.entity, json.dumps(dict(row.features), allow_nan=False), row.as_of) for row in ordered]
        with self._connection.cursor() as cursor:
            execute_values(
                cursor,
                """INSERT INTO online_features AS f (model, entity, features, as_of) VALUES %s
                   ON CONFLICT (model, entity) DO UPDATE SET features = excluded.features, as_of = excluded.as_of WHERE excluded.as_of >= f.as_of""",
                values,
                page_size=500,
            )
