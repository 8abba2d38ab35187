"""Table `reference_profiles`."""

from __future__ import annotations

import json
from datetime import datetime

import psycopg2.extensions

from evergreen.core.drift_profile import METHOD, Profile


class PostgresReferenceProfiles:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def get(self, model: str, version: int) -> Profile | None:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT body FROM reference_profiles WHERE model = %s AND version = %s AND body ->> 'method' = %s", (model, version, METHOD))
            row = cursor.fetchone()
        return None if row is None else Profile.from_json(row[0])

    def keep(self, model: str, version: int, profile: Profile, time: datetime) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(
                """INSERT INTO reference_profiles (model, version, body, made_time) VALUES (%s, %s, %s, %s)
                   ON CONFLICT (model, version) DO UPDATE SET body = excluded.body, made_time = excluded.made_time""",
                (model, version, json.dumps(profile.to_json(), allow_nan=False), time),
            )
