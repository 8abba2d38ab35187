"""`POST /auth/token`, `POST /auth/ticket`."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from evergreen.contracts.api_auth import TicketAnswer, TokenAnswer, TokenRequest
from evergreen.core.access import Need
from evergreen.core.errors import WrongCredentials
from evergreen.ports.access import TICKET_SECONDS, Kind
from evergreen.services.issue_token import narrowed
from serving.auth.needs import requires
from serving.cold import Cold
from serving.dependencies import Serving
from serving.errors import responses
from serving.problems import TOO_MANY, UNAVAILABLE, WRONG_CREDENTIALS


def auth_routes(serving: Serving, cold: Cold) -> APIRouter:
    router = APIRouter(tags=["access"])
    token_answers = responses(WRONG_CREDENTIALS, TOO_MANY, UNAVAILABLE)

    @router.post("/auth/token", openapi_extra=requires(Need.PUBLIC), responses=token_answers)
    async def token(asked: Annotated[TokenRequest, Form()], request: Request, response: Response) -> TokenAnswer:
        """A token for an application (`client_credentials`) or a person (`password`)."""
        kind, name, secret = credentials_in(asked, request.headers.get("authorization", ""))
        await serving.access.gate.charge_login(request.scope, request.headers, name)
        account = await cold.credentials.run(kind, name, secret)
        roles = narrowed(account, asked.scope)
        minted = await cold.mint(account.subject, roles)
        response.headers["Cache-Control"] = "no-store"
        return TokenAnswer(access_token=minted, expires_in=cold.token_seconds, scope=" ".join(sorted(roles)))

    @router.post("/auth/ticket", openapi_extra=requires(Need.SIGNED_IN), responses=responses(UNAVAILABLE))
    async def ticket(request: Request, response: Response) -> TicketAnswer:
        """For one stream, once, within a minute: it stands for this token's bearer where no header can be sent."""
        response.headers["Cache-Control"] = "no-store"
        return TicketAnswer(ticket=await cold.tickets.issue(request.state.principal), expires_in=TICKET_SECONDS)

    return router


def credentials_in(asked: TokenRequest, authorization: str) -> tuple[Kind, str, str]:
    """Raises WrongCredentials."""
    if asked.grant_type == "password":
        return "person", asked.username or "", asked.password or ""
    if asked.client_id is not None and asked.client_secret is not None:
        return "client", asked.client_id, asked.client_secret
    try:
        scheme, _, encoded = authorization.partition(" ")
        name, colon, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise WrongCredentials from None
    if scheme.lower() != "basic" or not colon:
        raise WrongCredentials
    return "client", name, secret
