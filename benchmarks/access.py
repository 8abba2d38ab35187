"""Who the load says it is."""

from __future__ import annotations

from collections.abc import Mapping

from evergreen.bootstrap import Parts
from evergreen.core.access import Role
from evergreen.settings import Settings

MINUTES = 24 * 60


def token(settings: Settings) -> Mapping[str, str]:
    """Headers of a service, signed with the home's key."""
    return {"authorization": f"Bearer {Parts(settings).access.mint.mint('benchmark', [Role.SERVICE], MINUTES).token}"}
