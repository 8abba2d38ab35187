"""What operators do: dead letters, accounts and tokens, the kill switch. Each act is recorded with its subject and a reason."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from evergreen.contracts.api_admin import (
    MOST_LETTERS,
    AccountChange,
    AccountList,
    AccountRequest,
    AccountSecret,
    Done,
    LetterId,
    LetterList,
    LetterWhole,
    PauseRequest,
    PauseSaid,
    RedriveAnswer,
    RedriveRequest,
    SecretRequest,
    TokenRevocation,
)
from evergreen.core.access import Need, by
from serving.auth.needs import requires
from serving.cold import Cold
from serving.errors import responses
from serving.problems import KEY_REUSED, MALFORMED, NOT_FOUND, SECRET_GIVEN, UNAVAILABLE
from serving.routes.idempotency import OnceKey, SecretKey, keyed

ACT, READ = requires(Need.ACT), requires(Need.READ)
CHANGES = responses(MALFORMED, NOT_FOUND, UNAVAILABLE)


def admin_routes(cold: Cold) -> APIRouter:
    router = APIRouter(tags=["administration"])
    _letters(router, cold)
    _accounts(router, cold)
    _pause(router, cold)
    return router


def _letters(router: APIRouter, cold: Cold) -> None:
    desk = cold.admin

    @router.get("/dead-letters", openapi_extra=ACT, responses=responses(UNAVAILABLE))
    async def dead_letters(
        limit: Annotated[int, Query(ge=1, le=MOST_LETTERS)] = 50,
        reason: Annotated[str | None, Query(max_length=64)] = None,
        waiting: Annotated[bool, Query(description="Only those that were not sent back")] = False,
    ) -> LetterList:
        """What could not be handled, of the newest thousand of each partition."""
        return await desk.letters(limit, reason, waiting)

    @router.get("/dead-letters/{letter_id}", openapi_extra=ACT, responses=responses(NOT_FOUND, UNAVAILABLE))
    async def dead_letter(letter_id: Annotated[LetterId, Path()]) -> LetterWhole:
        """One whole: its reason, its headers, what it said."""
        return await desk.letter(letter_id)

    @router.post("/dead-letters/redrive", openapi_extra=ACT, responses=responses(MALFORMED, NOT_FOUND, KEY_REUSED, UNAVAILABLE))
    async def redrive(asked: RedriveRequest, request: Request, key: OnceKey = None) -> RedriveAnswer:
        """Back to the topic they came from: byte for byte, or one of them repaired."""
        return await desk.redrive(asked, by(request.state.principal.subject), keyed(request, key, asked))


def _accounts(router: APIRouter, cold: Cold) -> None:
    desk = cold.admin

    @router.get("/accounts", openapi_extra=ACT, responses=responses(UNAVAILABLE))
    async def accounts() -> AccountList:
        """Who may ask for tokens, and what was changed by whom."""
        return await desk.accounts()

    @router.post("/accounts", status_code=201, openapi_extra=ACT, responses=responses(MALFORMED, SECRET_GIVEN, KEY_REUSED, UNAVAILABLE))
    async def add_account(asked: AccountRequest, request: Request, response: Response, key: SecretKey = None) -> AccountSecret:
        """The answer holds its secret, this once."""
        response.headers["Cache-Control"] = "no-store"
        return await desk.add_account(asked, by(request.state.principal.subject), keyed(request, key, asked, secret=True))

    @router.post("/accounts/secret", openapi_extra=ACT, responses=responses(MALFORMED, NOT_FOUND, SECRET_GIVEN, KEY_REUSED, UNAVAILABLE))
    async def change_secret(asked: SecretRequest, request: Request, response: Response, key: SecretKey = None) -> AccountSecret:
        """A new one, this once. Tokens got with the old one count no more."""
        response.headers["Cache-Control"] = "no-store"
        return await desk.change_secret(asked, by(request.state.principal.subject), keyed(request, key, asked, secret=True))

    @router.post("/accounts/change", openapi_extra=ACT, responses=CHANGES)
    async def change_account(asked: AccountChange, request: Request) -> Done:
        """Disable it, enable it again, or make its tokens count no more, of whoever goes by the name."""
        await desk.change_account(asked, by(request.state.principal.subject))
        return Done()

    @router.post("/tokens/revoke", openapi_extra=ACT, responses=responses(MALFORMED, UNAVAILABLE))
    async def revoke_token(asked: TokenRevocation, request: Request) -> Done:
        """It counts no more; every worker knows within a second."""
        await desk.revoke_token(asked, by(request.state.principal.subject))
        return Done()


def _pause(router: APIRouter, cold: Cold) -> None:
    desk = cold.admin

    @router.get("/policy/pause", openapi_extra=READ, responses=responses(UNAVAILABLE))
    async def pause() -> PauseSaid:
        """Whether the policy is paused, since when, by whom and why."""
        return await desk.pause()

    @router.post("/policy/pause", openapi_extra=ACT, responses=responses(MALFORMED, UNAVAILABLE))
    async def turn(asked: PauseRequest, request: Request) -> PauseSaid:
        """Paused: no retrain, rollback or scaling starts, and promotions wait. Checks, alerts and what a person asks for go on."""
        return await desk.turn(asked, by(request.state.principal.subject))
