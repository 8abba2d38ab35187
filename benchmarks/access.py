"""Who the load says it is."""

from __future__ import annotations

from collections.abc import Mapping

from evergreen.bootstrap import Parts
from evergreen.core.access import Role
from evergreen.settings import Settings

MINUTES = 120.0


def token(settings: Settings) -> Mapping[str, str]:
    """Headers of an application: a token that workers check like any other, with a limit that is counted and not reached."""
    minted = Parts(settings).access.mint.mint("benchmark", [Role.SERVICE], MINUTES)
    return {"authorization": f"Bearer {minted.token}"}
