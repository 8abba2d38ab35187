"""Reports with scripts of their own, for a frame within a page.

Guarantee: what is in a report runs in an origin of its own: it sees no cookie and no page, and can ask nobody for anything (PICTURE_POLICY)."""

from __future__ import annotations

from uuid import UUID

import anyio.to_thread
from starlette.responses import PlainTextResponse, Response

from dashboard.api_client import ApiError
from dashboard.deployment import deployment
from dashboard.sessions import Session
from evergreen.contracts.api_drift import PICTURE_POLICY

_HEADERS = {"Content-Security-Policy": PICTURE_POLICY, "Cache-Control": "private, max-age=300"}


async def drift_report(session: Session | None, report_id: UUID) -> Response:
    if session is None:
        return PlainTextResponse("signed out", 401)
    try:
        body = await anyio.to_thread.run_sync(deployment().api(session).page, f"/drift/reports/{report_id}/picture")
    except ApiError as error:
        return PlainTextResponse(error.title, error.status or 503)
    return Response(body, media_type="text/html", headers=_HEADERS)
