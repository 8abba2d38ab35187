"""`POST /models/{model}/candidates`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response

from evergreen.contracts.api import ModelName
from evergreen.contracts.api_candidates import CandidateAccepted, CandidateRequest
from evergreen.contracts.envelope import new_id
from evergreen.core.access import Need, by
from evergreen.services.submissions import Submission
from serving.auth.needs import requires
from serving.cold import Cold
from serving.errors import responses
from serving.problems import KEY_REUSED, MALFORMED, NOT_FOUND, UNAVAILABLE
from serving.routes.idempotency import key

Key = Annotated[str | None, key("The same key for a repeat of the same submission: there is one")]


def candidate_routes(cold: Cold) -> APIRouter:
    router = APIRouter(tags=["operations"])
    refused = responses(MALFORMED, NOT_FOUND, KEY_REUSED, UNAVAILABLE)

    @router.post("/models/{model}/candidates", status_code=202, openapi_extra=requires(Need.ACT), responses=refused)
    async def submit_candidate(model: ModelName, asked: CandidateRequest, request: Request, response: Response, key: Key = None) -> CandidateAccepted:
        """A model trained elsewhere is let into the gates, which judge it like any candidate. 202: it is recorded; `Location` says what becomes of it."""
        who = by(request.state.principal.subject)
        action_id = await cold.candidates.submit(Submission(model, asked.uri, asked.trained_to, asked.reason, who, key or new_id()))
        response.headers["Location"] = f"/actions/{action_id}/explain"
        return CandidateAccepted(action_id=action_id)

    return router
