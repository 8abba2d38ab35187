"""Tokens of a home's own key, for tests that call its serving."""

from __future__ import annotations

from evergreen.bootstrap import Parts
from evergreen.core.access import Role
from evergreen.settings import Settings


def bearer(settings: Settings, *roles: Role, subject: str = "test") -> dict[str, str]:
    """Headers; of operator and service by default."""
    minted = Parts(settings).access.mint.mint(subject, roles or (Role.OPERATOR, Role.SERVICE), 60)
    return {"authorization": f"Bearer {minted.token}"}
