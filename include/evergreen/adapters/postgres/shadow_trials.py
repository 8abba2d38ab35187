"""Table `shadow_trials`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import psycopg2.extensions

from evergreen.ports.shadow_trials import ShadowTrial

_SELECT = "SELECT model, version, champion, started_time, until_time, ended_time, found FROM shadow_trials"
_KEY = "model = %s AND version = %s AND champion = %s"


class PostgresShadowTrials:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def start(self, trial: ShadowTrial) -> None:
        self._execute(
            "INSERT INTO shadow_trials (model, version, champion, started_time, until_time) VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (*_key(trial), trial.started_time, trial.until_time),
        )

    def get(self, model: str, version: int, champion: int) -> ShadowTrial | None:
        rows = self._trials(f"WHERE {_KEY}", (model, version, champion))
        return rows[0] if rows else None

    def open(self) -> list[ShadowTrial]:
        return self._trials("WHERE ended_time IS NULL ORDER BY started_time", ())

    def answered(self, trial: ShadowTrial, until: datetime) -> tuple[int, int]:
        with self._connection.cursor() as cursor:
            cursor.execute(
                """SELECT count(*), count(*) FILTER (WHERE shadow_predicted IS NULL) FROM predictions
                   WHERE model = %s AND shadow_version = %s AND version = %s AND time >= %s AND time <= %s""",
                (*_key(trial), trial.started_time, until),
            )
            row = cursor.fetchone()
        return (0, 0) if row is None else (row[0], row[1])

    def end(self, trial: ShadowTrial, at: datetime, found: Mapping[str, Any]) -> None:
        self._execute(f"UPDATE shadow_trials SET ended_time = %s, found = %s WHERE {_KEY} AND ended_time IS NULL", (at, json.dumps(dict(found)), *_key(trial)))

    def untold(self) -> list[ShadowTrial]:
        return self._trials("WHERE ended_time IS NOT NULL AND NOT told ORDER BY ended_time", ())

    def told(self, trial: ShadowTrial) -> None:
        self._execute(f"UPDATE shadow_trials SET told = true WHERE {_KEY}", _key(trial))

    def _execute(self, statement: str, values: tuple[object, ...]) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values)

    def _trials(self, where: str, values: tuple[object, ...]) -> list[ShadowTrial]:
        with self._connection.cursor() as cursor:
            cursor.execute(f"{_SELECT} {where}", values)
            return [ShadowTrial(*row) for row in cursor.fetchall()]


def _key(trial: ShadowTrial) -> tuple[str, int, int]:
    return trial.model, trial.version, trial.champion
