"""Table `jobs` as serving sees it: taken, shown, ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.adapters.jobs.table import CLAIMABLE, COLUMNS, RUNNING, job_of
from evergreen.core.errors import Unavailable
from evergreen.ports.jobs import Found, Job, NewJob

_AHEAD = "(SELECT count(*) FROM jobs o WHERE j.state = 'queued' AND o.state = 'queued' AND (o.created_at, o.id) < (j.created_at, j.id)) AS ahead"
_SELECT = f"SELECT {COLUMNS}, {_AHEAD} FROM jobs j"
_ADD = f"""
INSERT INTO jobs (id, subject, model, input_format, output_format, kind, source, content_hash, idempotency_key)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (subject, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING RETURNING {COLUMNS}
"""
_END = """
UPDATE jobs SET state = CASE WHEN state = 'succeeded' THEN 'expired' ELSE 'cancelled' END, lease_until = NULL, token = token + 1,
    finished_at = coalesce(finished_at, clock_timestamp())
WHERE id = $1 AND state IN ('queued', 'running', 'succeeded')
"""


class PostgresJobDesk:
    def __init__(self, postgres: AsyncPostgres) -> None:
        self._postgres = postgres

    async def waiting(self, subject: str) -> int:
        row = await self._postgres.fetch_row("SELECT count(*) AS open FROM jobs WHERE subject = $1 AND state IN ('queued', 'running')", subject)
        return 0 if row is None else int(row["open"])

    async def add(self, job: NewJob) -> Found:
        kind = None if job.kind is None else job.kind.value
        values = (job.id, job.subject, job.model, job.input_format.value, job.output_format.value, kind, dict(job.source), job.content_hash)
        added = await self._postgres.fetch_row(_ADD, *values, job.idempotency_key)
        if added is not None:
            return Found(job_of(added), True)
        first = None if job.idempotency_key is None else await self.keyed(job.subject, job.idempotency_key)
        if first is None:
            raise Unavailable("the job of this idempotency key was just removed; send it again")
        return Found(first, False)

    async def keyed(self, subject: str, key: str) -> Job | None:
        return await self._one(f"{_SELECT} WHERE j.subject = $1 AND j.idempotency_key = $2", subject, key)

    async def get(self, job_id: UUID) -> Job | None:
        return await self._one(f"{_SELECT} WHERE j.id = $1", job_id)

    async def page(self, subject: str | None, limit: int, before: tuple[datetime, UUID] | None) -> Sequence[Job]:
        rows = await self._postgres.fetch(
            f"""{_SELECT} WHERE ($1::text IS NULL OR j.subject = $1) AND ($2::timestamptz IS NULL OR (j.created_at, j.id) < ($2, $3::uuid))
                ORDER BY j.created_at DESC, j.id DESC LIMIT $4""",
            subject,
            *(before or (None, None)),
            limit,
        )
        return [job_of(row, row["ahead"]) for row in rows]

    async def end(self, job_id: UUID) -> Job | None:
        await self._postgres.execute(_END, job_id)
        return await self.get(job_id)

    async def claimable(self, most: int) -> bool:
        row = await self._postgres.fetch_row(f"SELECT ({RUNNING}) < $1 AND EXISTS (SELECT FROM jobs j WHERE {CLAIMABLE}) AS claimable", most)
        return row is not None and bool(row["claimable"])

    async def left_by(self, runner: str) -> None:
        await self._postgres.execute("UPDATE jobs SET lease_until = clock_timestamp() - interval '1 ms' WHERE runner = $1 AND state = 'running'", runner)

    async def _one(self, query: str, *values: object) -> Job | None:
        row = await self._postgres.fetch_row(query, *values)
        return None if row is None else job_of(row, row["ahead"])
