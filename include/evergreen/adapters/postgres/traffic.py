"""Table `predictions` as recorded traffic."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property

import psycopg2.extensions

from evergreen.ports.traffic import RecordedRequest

_LOOKED_AT = 10
"""Times the limit: the same entity is asked for again and again, and only so many rows are read to find others."""


class PostgresTraffic:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def newest(self, model: str, version: int, *, until: datetime, limit: int) -> list[RecordedRequest]:
        with self._connection.cursor() as cursor:
            cursor.execute(
                """SELECT prediction_id, features, predicted, lower, upper FROM (
                       SELECT DISTINCT ON (coalesce(entity, prediction_id)) prediction_id, features, predicted, lower, upper, time FROM (
                           SELECT * FROM predictions WHERE model = %s AND version = %s AND time <= %s ORDER BY time DESC LIMIT %s) newest
                       ORDER BY coalesce(entity, prediction_id), time DESC) one
                   ORDER BY time DESC, prediction_id LIMIT %s""",
                (model, version, until, limit * _LOOKED_AT, limit),
            )
            return [RecordedRequest(*found) for found in cursor.fetchall()]


class TrafficTable:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self.connection = connection

    @cached_property
    def traffic(self) -> PostgresTraffic:
        return PostgresTraffic(self.connection)
