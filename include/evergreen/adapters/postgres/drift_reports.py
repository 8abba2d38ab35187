"""Table `drift_reports`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from uuid import UUID

import psycopg2.extensions

from evergreen.ports.drift_reports import DriftReport

_COLUMNS = "id, model, version, first_day, last_day, n, score, drifted, features, action_id, time, report_url"


class PostgresDriftReports:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def record(self, report: DriftReport) -> bool:
        values = {**vars(report), "features": json.dumps(dict(report.features))}
        names = ", ".join(f"%({name})s" for name in _COLUMNS.split(", "))
        with self._connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO drift_reports ({_COLUMNS}) VALUES ({names}) ON CONFLICT DO NOTHING", values)
            return cursor.rowcount == 1

    def get(self, report_id: UUID) -> DriftReport | None:
        return next(iter(self._select("WHERE id = %s", (report_id,))), None)

    def of_model(self, model: str, limit: int) -> Sequence[DriftReport]:
        return self._select("WHERE model = %s ORDER BY last_day DESC, first_day DESC, version DESC LIMIT %s", (model, limit))

    def _select(self, clause: str, values: tuple[object, ...]) -> list[DriftReport]:
        with self._connection.cursor() as cursor:
            cursor.execute(f"SELECT {_COLUMNS} FROM drift_reports {clause}", values)
            return [DriftReport(*found) for found in cursor.fetchall()]
