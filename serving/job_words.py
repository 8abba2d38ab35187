"""Jobs between HTTP and the use case: content types, tables, records, cursors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from starlette.requests import ClientDisconnect, Request

from evergreen.adapters.cursors import read_cursor, read_instant, read_uuid, write_cursor
from evergreen.contracts.api_jobs import JobPage, JobProgress, JobRecord, TableJob
from evergreen.core.errors import InvalidRequest, NotFound, TooLarge, UnsupportedMedia
from evergreen.core.jobs import UPLOADS, JobFormat, JobState
from evergreen.ports.jobs import Job

MAX_TABLE_BYTES = 2**16
DISCARD_BYTES = 8 * 2**20


def read_format(content_type: str) -> JobFormat | None:
    """None: a table. Raises UnsupportedMedia."""
    media = content_type.partition(";")[0].strip().lower()
    if media == "application/json":
        return None
    if media not in UPLOADS:
        raise UnsupportedMedia(f"the content type must be one of {', '.join([*UPLOADS, 'application/json'])}")
    return UPLOADS[media]


def read_model(asked: str | None, known: Collection[str], default: str, *, of_table: bool) -> str:
    """Raises NotFound, InvalidRequest."""
    model = asked or default
    if model not in known:
        raise NotFound("there is no such model; GET /models lists them")
    if of_table and model != default:
        raise InvalidRequest(f"the catalogue holds rows of {default} alone: those of {model} are sent as JSON lines, CSV or Parquet")
    return model


class Incoming:
    """A body that is not held in memory. Raises TooLarge before it is sent, when it announces itself so."""

    def __init__(self, request: Request, limit: int) -> None:
        announced = request.headers.get("content-length", "")
        self.too_large = announced.isdigit() and int(announced) > limit
        self._limit = limit
        self._pieces = request.stream()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self.too_large:
            raise TooLarge(f"the limit is {self._limit} bytes")
        try:
            async for piece in self._pieces:
                yield piece
        except ClientDisconnect as error:
            raise InvalidRequest("the body broke off") from error

    async def discard(self) -> None:
        """Read on a little, so that the sender hears why it was refused instead of a reset connection."""
        left = DISCARD_BYTES
        with suppress(ClientDisconnect, RuntimeError):
            async for piece in self._pieces:
                left -= len(piece)
                if left <= 0:
                    return


async def read_table(body: AsyncIterator[bytes]) -> Mapping[str, Any]:
    """Raises InvalidRequest, TooLarge."""
    content = bytearray()
    async for piece in body:
        content += piece
        if len(content) > MAX_TABLE_BYTES:
            raise TooLarge(f"a table job is described in at most {MAX_TABLE_BYTES} bytes; rows are sent as JSON lines")
    try:
        return TableJob.model_validate_json(bytes(content)).model_dump(mode="json", exclude_none=True)
    except ValidationError as error:
        faults = [f"{'.'.join(str(part) for part in fault['loc']) or 'body'}: {fault['msg']}" for fault in error.errors(include_url=False)[:3]]
        raise InvalidRequest("; ".join(faults)) from error


def record_of(job: Job, keep: timedelta) -> JobRecord:
    succeeded = job.state is JobState.SUCCEEDED
    return JobRecord(
        id=job.id,
        state=job.state.value,
        subject=job.subject,
        model=job.model,
        model_version=None if job.version is None else f"{job.model}@{job.version}",
        kind=None if job.kind is None else job.kind.value,
        input_format=job.input_format.value,
        output_format=job.output_format.value,
        progress=JobProgress(rows_done=job.rows_done, rows_total=job.rows_total, rows_failed=sum(job.errors.values()), errors=dict(job.errors)),
        queue_position=job.ahead + 1 if job.state is JobState.QUEUED else None,
        error=job.error,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        expires_at=job.finished_at + keep if succeeded and job.finished_at is not None else None,
        result=f"/jobs/{job.id}/result" if succeeded else None,
        result_bytes=job.result_bytes,
    )


def page_of(found: Sequence[Job], limit: int, keep: timedelta) -> JobPage:
    """`found`: one more than the page holds, if there is one."""
    last = found[limit - 1] if len(found) > limit else None
    cursor = None if last is None else write_cursor(last.created_at.isoformat(), str(last.id))
    return JobPage(jobs=[record_of(job, keep) for job in found[:limit]], next_cursor=cursor)


def cursor_of(cursor: str | None) -> tuple[datetime, UUID] | None:
    """Raises InvalidRequest."""
    if cursor is None:
        return None
    instant, job_id = read_cursor(cursor, 2)
    return read_instant(instant), read_uuid(job_id)
