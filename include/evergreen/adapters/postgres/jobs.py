"""Table `jobs` as runners see it: claims with lease and fencing token."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg2.extensions
import psycopg2.extras

from evergreen.adapters.jobs.table import CLAIMABLE, COLUMNS, RUNNING, job_of
from evergreen.core.errors import Fenced
from evergreen.core.jobs import MAX_ATTEMPTS, JobKind, JobState
from evergreen.ports.jobs import Job, JobLease

IDLE_SECONDS = 5
_HELD = "id = %(id)s AND token = %(token)s AND state = 'running'"


class PostgresJobs:
    """A process that is stopped in the middle of a transaction would keep its job's row, and with it the claim, from all others for as long as
    it sleeps: the server ends such a session."""

    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('idle_in_transaction_session_timeout', %s, true)", (f"{IDLE_SECONDS}s",))

    def claim(self, runner: str, lease_for: timedelta, most: int) -> Job | None:
        with self._cursor() as cursor:
            # Two claimers at once would each count the other's job as not running.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('claim:jobs'))")
            cursor.execute(
                """UPDATE jobs SET state = 'failed', error = 'the process that worked on it died each time', finished_at = clock_timestamp(), lease_until = NULL
                   WHERE state = 'running' AND lease_until < clock_timestamp() AND attempts >= %s""",
                (MAX_ATTEMPTS,),
            )
            cursor.execute(
                f"""UPDATE jobs SET state = 'running', runner = %(runner)s, token = token + 1, attempts = attempts + 1,
                        version = coalesce(version, (SELECT version FROM champions c WHERE c.model = jobs.model)),
                        lease_until = clock_timestamp() + %(lease)s, started_at = coalesce(started_at, clock_timestamp())
                    WHERE id = (SELECT j.id FROM jobs j WHERE {CLAIMABLE} ORDER BY j.created_at, j.id LIMIT 1 FOR UPDATE SKIP LOCKED)
                      AND ({RUNNING}) < %(most)s
                    RETURNING {COLUMNS}""",
                {"runner": runner, "lease": lease_for, "most": most},
            )
            found = cursor.fetchone()
        return None if found is None else job_of(found)

    def renew(self, lease: JobLease, lease_for: timedelta) -> bool:
        return self._changed(lease, "lease_until = clock_timestamp() + %(lease)s", {"lease": lease_for})

    def tell(self, lease: JobLease, *, done: int, total: int | None, errors: Mapping[str, int], kind: JobKind) -> bool:
        values = {"done": done, "total": total, "errors": json.dumps(dict(errors)), "kind": kind.value}
        return self._changed(lease, "rows_done = %(done)s, rows_total = %(total)s, errors = %(errors)s, kind = %(kind)s", values)

    def finish(
        self, lease: JobLease, state: JobState, *, done: int, errors: Mapping[str, int], error: str | None = None, result_bytes: int | None = None
    ) -> None:
        values = {"state": state.value, "done": done, "errors": json.dumps(dict(errors)), "error": error, "bytes": result_bytes}
        said = """state = %(state)s, rows_done = %(done)s, errors = %(errors)s, error = %(error)s, result_bytes = %(bytes)s,
                  finished_at = clock_timestamp(), lease_until = NULL"""
        if state is JobState.SUCCEEDED:
            said += ", rows_total = %(done)s"
        if not self._changed(lease, said, values):
            raise Fenced(f"job {lease.job_id} is no longer this runner's (token {lease.token})")

    def give_back(self, lease: JobLease) -> None:
        if not self._changed(lease, "state = 'queued', lease_until = NULL, runner = NULL, attempts = attempts - 1", {}):
            raise Fenced(f"job {lease.job_id} is no longer this runner's (token {lease.token})")

    def expire(self, finished_before: timedelta) -> Sequence[UUID]:
        with self._connection.cursor() as cursor:
            cursor.execute(
                """UPDATE jobs SET state = CASE WHEN state = 'succeeded' THEN 'expired' ELSE state END
                   WHERE state NOT IN ('queued', 'running') AND finished_at < clock_timestamp() - %s RETURNING id""",
                (finished_before,),
            )
            gone = [job_id for (job_id,) in cursor.fetchall()]
            cursor.execute("DELETE FROM jobs WHERE finished_at < clock_timestamp() - greatest(%s, interval '90 days')", (finished_before,))
        return gone

    def kept(self) -> set[UUID]:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT id FROM jobs WHERE state IN ('queued', 'running', 'succeeded')")
            return {job_id for (job_id,) in cursor.fetchall()}

    def _changed(self, lease: JobLease, assignments: str, values: Mapping[str, Any]) -> bool:
        with self._connection.cursor() as cursor:
            cursor.execute(f"UPDATE jobs SET {assignments} WHERE {_HELD}", {**values, "id": lease.job_id, "token": lease.token})
            return cursor.rowcount == 1

    def _cursor(self) -> psycopg2.extras.RealDictCursor:
        return self._connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor)
