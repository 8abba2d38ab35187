"""What a route asks of its caller, declared next to it."""

from __future__ import annotations

from typing import Any

from evergreen.core.access import Need

KEY = "x-need"


def requires(need: Need) -> dict[str, Any]:
    """For a route's `openapi_extra`."""
    return {KEY: need.value}
