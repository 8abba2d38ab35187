"""`/profiles` and `/items`: users of the recommender and its items, for those who look after it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from evergreen.contracts.api_profiles import Items, KnownUser, KnownUsers, SimilarItems, SimilarUsersSaid, UserProfile
from evergreen.contracts.api_recommendations import ItemId, UserId
from evergreen.core.access import Need
from evergreen.core.boosts import USERS
from evergreen.services.show_profiles import ShowProfiles
from serving.auth.needs import requires
from serving.auth.own import check_own
from serving.errors import responses
from serving.problems import NO_CHAMPION, NOT_FOUND, UNAVAILABLE

OWN, EVERYBODYS, READ = requires(Need.OWN), requires(Need.EVERYBODYS), requires(Need.READ)
User = Annotated[UserId, Path()]
Part = Annotated[str, Query(pattern=r"^[!-~]{0,64}$", description="What the id holds, in whatever case")]
TitlePart = Annotated[str, Query(max_length=100, pattern=r"^[^\x00]*$", description="What the title holds, or the whole id")]
Most = Annotated[int, Query(ge=1, le=100)]


def profile_routes(shown: ShowProfiles) -> APIRouter:
    router = APIRouter(tags=["recommendations"])
    _users(router, shown)
    _items(router, shown)
    return router


def _users(router: APIRouter, shown: ShowProfiles) -> None:
    @router.get("/profiles", openapi_extra=EVERYBODYS, responses=responses(UNAVAILABLE))
    async def known_users(q: Part = "", limit: Most = 20) -> KnownUsers:
        """Of the 20,000 users who did something last, and of those whom batches know."""
        found = await shown.known(q, limit)
        return KnownUsers(users=[KnownUser(user_id=one.user, interactions=one.interactions, active_at=one.active_at) for one in found])

    @router.get("/profiles/{user_id}", openapi_extra=OWN, responses=responses(UNAVAILABLE))
    async def profile(user_id: User, request: Request) -> UserProfile:
        """What lists are made of: preferences, history, boosts, and what the user did lately."""
        check_own(request.state.principal, user_id)
        return UserProfile.model_validate(await shown.profile(user_id))

    @router.get("/profiles/{user_id}/similar", openapi_extra=EVERYBODYS, responses=responses(NO_CHAMPION, UNAVAILABLE))
    async def similar_users(user_id: User, limit: Annotated[int, Query(ge=1, le=USERS)] = 10) -> SimilarUsersSaid:
        """Active users with the same taste: what this user buys or rates high is lifted for them."""
        return SimilarUsersSaid.model_validate(await shown.similar_users(user_id, limit))


def _items(router: APIRouter, shown: ShowProfiles) -> None:
    @router.get("/items", openapi_extra=READ, responses=responses(NO_CHAMPION, UNAVAILABLE))
    async def items(q: TitlePart = "", limit: Most = 20) -> Items:
        """Items the serving recommender knows, most popular first."""
        return Items.model_validate(await shown.items(q, limit))

    @router.get("/items/{item_id}/similar", openapi_extra=READ, responses=responses(NO_CHAMPION, NOT_FOUND, UNAVAILABLE))
    async def similar_items(item_id: Annotated[ItemId, Path()], limit: Annotated[int, Query(ge=1, le=50)] = 10) -> SimilarItems:
        """What the serving recommender finds most like it."""
        return SimilarItems.model_validate(await shown.similar_items(item_id, limit))
