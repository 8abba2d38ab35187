"""Who the load says it is."""

from __future__ import annotations

from collections.abc import Mapping

from evergreen.settings import Settings


def token(_settings: Settings) -> Mapping[str, str]:
    """Headers of a service that may ask everything. None yet: no route asks for them."""
    return {}
