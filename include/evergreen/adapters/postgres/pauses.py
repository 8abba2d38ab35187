"""Table `policy_pauses`: each turn of the kill switch; the newest one holds."""

from __future__ import annotations

import psycopg2.extensions

from evergreen.contracts.actions import PAUSABLE
from evergreen.ports.policy_records import Pause

_KINDS = ", ".join(f"'{kind.value}'" for kind in PAUSABLE)
FREE = f"""(kind NOT IN ({_KINDS}) OR event_type = 'manual'
    OR NOT coalesce((SELECT paused FROM policy_pauses ORDER BY seq DESC LIMIT 1), false))"""
"""Condition on a row of `actions`: the kill switch does not hold it. What a person asked for goes on."""


class PostgresPauses:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def current(self) -> Pause | None:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT paused, who, reason, time FROM policy_pauses ORDER BY seq DESC LIMIT 1")
            found = cursor.fetchone()
        return None if found is None else Pause(*found)

    def turn(self, new: Pause) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute("INSERT INTO policy_pauses (paused, who, reason, time) VALUES (%s, %s, %s, %s)", (new.paused, new.who, new.reason, new.time))
            if not new.paused:
                cursor.execute(f"UPDATE actions SET rung_at = NULL WHERE status = 'pending' AND kind IN ({_KINDS})")
