"""Table `model_versions`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import psycopg2.extensions
import psycopg2.extras

from evergreen.ports.versions import ShownVersion, Spread, VersionRow, VersionStatus

_COLUMNS = ", ".join(
    (
        *("model", "version", "action_id", "run_id", "uri", "cause", "trained_from", "trained_to", "trained_rows", "as_of"),
        *("status", "stable", "quarantined", "metrics", "scorecard", "cost_seconds"),
    )
)
_PAGE = f"""
SELECT {_COLUMNS.replace("scorecard", "scorecard - 'baseline_errors' AS scorecard")}, errors.n, errors.mean, errors.deviation
FROM model_versions
CROSS JOIN LATERAL (SELECT count(*) AS n, avg(error::float8) AS mean, stddev_samp(error::float8) AS deviation
                    FROM jsonb_array_elements_text(scorecard -> 'baseline_errors') error) errors
WHERE model = %(model)s AND (%(before)s::bigint IS NULL OR version < %(before)s) ORDER BY version DESC LIMIT %(limit)s
"""


class PostgresVersions:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def insert(self, row: VersionRow) -> None:
        values = {name: getattr(row, name) for name in _COLUMNS.split(", ")}
        values |= {"metrics": json.dumps(dict(row.metrics)), "scorecard": None if row.scorecard is None else json.dumps(dict(row.scorecard))}
        with self._connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO model_versions ({_COLUMNS}) VALUES ({', '.join(f'%({name})s' for name in values)}) ON CONFLICT (model, version) DO NOTHING",
                values,
            )

    def get(self, model: str, version: int) -> VersionRow | None:
        rows = self._select("WHERE model = %s AND version = %s", (model, version))
        return rows[0] if rows else None

    def of_model(self, model: str) -> list[VersionRow]:
        return self._select("WHERE model = %s ORDER BY version DESC", (model,))

    def page(self, model: str, limit: int, before: int | None = None) -> list[ShownVersion]:
        with self._connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute(_PAGE, {"model": model, "limit": limit, "before": before})
            return [_shown(found) for found in cursor.fetchall()]

    def judge(self, model: str, version: int, status: VersionStatus, scorecard: Mapping[str, Any]) -> None:
        self._update("status = %s, scorecard = %s", (status, json.dumps(dict(scorecard))), model, version)

    def mark_stable(self, model: str, version: int) -> None:
        self._update("stable = true", (), model, version)

    def quarantine(self, model: str, version: int, reason: str) -> None:
        self._update("quarantined = coalesce(quarantined, %s), stable = false", (reason,), model, version)

    def _update(self, assignments: str, values: tuple[object, ...], model: str, version: int) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(f"UPDATE model_versions SET {assignments} WHERE model = %s AND version = %s", (*values, model, version))

    def _select(self, where: str, values: tuple[object, ...]) -> list[VersionRow]:
        with self._connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute(f"SELECT {_COLUMNS} FROM model_versions {where}", values)
            return [VersionRow(**found) for found in cursor.fetchall()]


def _shown(found: Mapping[str, Any]) -> ShownVersion:
    row, errors = dict(found), Spread(found["n"], found["mean"], found["deviation"])
    for name in Spread._fields:
        del row[name]
    return ShownVersion(VersionRow(**row), errors if errors.n > 1 else None)
