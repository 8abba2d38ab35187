"""What is known of users, for who looks at many at once now and then."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from evergreen.core.recommending import Taste
from evergreen.ports.profiles import Profiles
from evergreen.services.read_tastes import ReadTastes
from serving.own_store import with_store


class OwnTastes:
    def __init__(self, dsn: str, profiles: Profiles) -> None:
        self._dsn = dsn
        self._profiles = profiles

    def read(self, users: Sequence[str], now: datetime) -> Sequence[Taste]:
        """Blocks: not for the event loop. Raises Unavailable."""
        return with_store(self._dsn, lambda store: ReadTastes(store, self._profiles).read(users, now)) if users else []
