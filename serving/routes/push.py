"""`GET /recommendations/{user_id}/stream`. Its twin over WebSocket is `serving.push_socket`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request
from starlette.responses import Response

from evergreen.contracts.api_recommendations import UserId
from evergreen.core.access import Need
from serving.auth.needs import requires
from serving.auth.own import check_own
from serving.errors import responses
from serving.list_answers import ListAnswers
from serving.metrics import Metrics
from serving.problems import UNAVAILABLE
from serving.push import PLACE, PushHub
from serving.push_stream import ListStream

LONGEST_SECONDS = 3600
_EVENTS = {
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
    "description": "Events `recommendations`, each a list as JSON; comments in between",
}
_PLACE = rf"^$|{PLACE}"
LastSeen = Annotated[str, Header(alias="Last-Event-ID", pattern=_PLACE, description="Of the last event that came: what came after it is sent first")]
LastSeenToo = Annotated[str, Query(pattern=_PLACE, description="The same, for who can send no header; the header counts more")]
Seconds = Annotated[int | None, Query(ge=0, le=LONGEST_SECONDS, description="End the stream after as many; 0: what there is now. Default: never")]


def push_routes(hub: PushHub, answers: ListAnswers, metrics: Metrics) -> APIRouter:
    router = APIRouter(tags=["recommendations"])
    said = {**responses(UNAVAILABLE), 200: _EVENTS}

    @router.get("/recommendations/{user_id}/stream", openapi_extra=requires(Need.OWN, ticket=True), response_class=Response, responses=said)
    async def stream(
        user_id: Annotated[UserId, Path()], request: Request, last_seen: LastSeen = "", last_event_id: LastSeenToo = "", seconds: Seconds = None
    ) -> Response:
        """The user's lists as they are made, as server-sent events: first the newest, or with `Last-Event-ID` all since. The same over WebSocket at
        `/recommendations/{user_id}/ws`. Who cannot send headers brings a `ticket`."""
        principal = request.state.principal
        check_own(principal, user_id)
        return ListStream(hub, hub.join(user_id, principal), answers, metrics, after=last_seen or last_event_id or None, seconds=seconds)

    return router
