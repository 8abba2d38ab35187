"""`/jobs/predictions`, `/jobs…`: many predictions, in their own time."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import FileResponse, JSONResponse, Response

from evergreen.contracts.api_jobs import Format, JobPage, JobRecord, Kind, TableJob
from evergreen.core.access import Need, Principal
from evergreen.core.errors import EvergreenError
from evergreen.core.jobs import UPLOADS, JobFormat, JobKind
from evergreen.services.jobs import Wanted
from serving.auth.needs import requires
from serving.cold import Cold
from serving.dependencies import Serving
from serving.errors import responses
from serving.job_words import Incoming, cursor_of, page_of, read_format, read_model, read_table, record_of
from serving.problems import GONE, KEY_REUSED, MALFORMED, NOT_FOUND, NOT_READY, TOO_MANY_JOBS, UNAVAILABLE, UNSUPPORTED, UPLOAD_TOO_LARGE
from serving.routes import idempotency

OWN = requires(Need.OWN)
Key = Annotated[str | None, idempotency.key("The same key for a repeat of the same job: there is one")]
AskedModel = Annotated[str | None, Query(max_length=64, description="Of `GET /models`; default the video model")]
_BODY: dict[str, Any] = {"type": "string", "format": "binary"}
_BODIES = {"requestBody": {"required": True, "content": {media: {"schema": _BODY} for media in UPLOADS}}}
_BODIES["requestBody"]["content"]["application/json"] = {"schema": TableJob.model_json_schema()}  # type: ignore[index]
_RESULT = {"content": {kind.media_type: {"schema": _BODY} for kind in JobFormat}, "description": "The result, in its format"}


def job_routes(serving: Serving, cold: Cold) -> APIRouter:
    router = APIRouter(tags=["jobs"])
    _handing_in(router, serving, cold)
    _looking(router, cold)
    _results(router, cold)
    return router


def _principal(request: Request) -> Principal:
    found: Principal = request.state.principal
    return found


def _handing_in(router: APIRouter, serving: Serving, cold: Cold) -> None:
    refused = responses(MALFORMED, NOT_FOUND, KEY_REUSED, TOO_MANY_JOBS, UNSUPPORTED, UPLOAD_TOO_LARGE, UNAVAILABLE)

    @router.post("/jobs/predictions", status_code=202, response_model=JobRecord, responses=refused, openapi_extra=requires(Need.TELL) | _BODIES)
    async def predict_many(request: Request, model: AskedModel = None, format: Format | None = None, kind: Kind | None = None, key: Key = None) -> Response:
        """Rows as the body (JSON lines, CSV or Parquet by its content type), or a table. Answered with the job's place; see its guide."""
        given = read_format(request.headers.get("content-type", ""))
        output = JobFormat(format) if format else given or JobFormat.JSONL
        body = Incoming(request, cold.jobs.max_bytes)
        try:
            named = read_model(model, serving.specs, serving.video_model, of_table=given is None)
            wanted = Wanted(named, given or JobFormat.JSONL, output, JobKind(kind) if kind else None, key)
            if given is None:
                job = await cold.jobs.of_table(_principal(request), wanted, await read_table(aiter(body)))
            else:
                job = await cold.jobs.upload(_principal(request), wanted, aiter(body))
        except EvergreenError:
            await body.discard()
            raise
        return JSONResponse(record_of(job, cold.keep_results).model_dump(mode="json"), 202, {"Location": f"/jobs/{job.id}"})


def _looking(router: APIRouter, cold: Cold) -> None:
    @router.get("/jobs", openapi_extra=OWN, responses=responses(NOT_FOUND, UNAVAILABLE))
    async def jobs(
        request: Request,
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
        cursor: Annotated[str | None, Query(max_length=500, description="`next_cursor` of the page before")] = None,
        everybodys: Annotated[bool, Query(description="For analysts, operators and services")] = False,
    ) -> JobPage:
        """The caller's jobs, newest first."""
        found = await cold.jobs.page(_principal(request), limit + 1, cursor_of(cursor), everybodys=everybodys)
        return page_of(found, limit, cold.keep_results)

    @router.get("/jobs/{job_id:uuid}", openapi_extra=OWN, responses=responses(NOT_FOUND, UNAVAILABLE))
    async def job(job_id: UUID, request: Request) -> JobRecord:
        """How far it is. Another's job is not found."""
        return record_of(await cold.jobs.get(_principal(request), job_id), cold.keep_results)

    @router.delete("/jobs/{job_id:uuid}", openapi_extra=OWN, responses=responses(NOT_FOUND, UNAVAILABLE))
    async def end_job(job_id: UUID, request: Request) -> JobRecord:
        """Cancels it, or removes the result of one that succeeded. Again: the same answer."""
        return record_of(await cold.jobs.end(_principal(request), job_id), cold.keep_results)


def _results(router: APIRouter, cold: Cold) -> None:
    refused = responses(NOT_FOUND, NOT_READY, GONE, UNAVAILABLE)

    @router.get("/jobs/{job_id:uuid}/result", openapi_extra=OWN, response_class=FileResponse, responses={**refused, 200: _RESULT})
    async def job_result(job_id: UUID, request: Request) -> FileResponse:
        """One row per row of the input, in its order: the id if there were any, prediction, version, and the error instead of a prediction."""
        job, path = await cold.jobs.result(_principal(request), job_id)
        name = f"predictions-{job.id}.{job.output_format.value}"
        return FileResponse(path, media_type=job.output_format.media_type, filename=name)
