"""A user's own data is for that user, and for roles that see everybody's."""

from __future__ import annotations

from evergreen.core.access import Principal
from serving.auth.refusals import Forbidden


def check_own(principal: Principal, user_id: str) -> None:
    """For routes that need OWN and name a user. Raises Forbidden."""
    if not principal.sees(user_id):
        raise Forbidden("this token is for its own user's data alone")
