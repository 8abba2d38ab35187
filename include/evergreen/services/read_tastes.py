"""What is known of users: the live profile, put together with what batches say of them (`core.earlier`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from evergreen.core.earlier import with_earlier
from evergreen.core.recommending import Taste
from evergreen.ports.interactions import InteractionStore
from evergreen.ports.profiles import Profiles


class ReadTastes:
    def __init__(self, store: InteractionStore, profiles: Profiles) -> None:
        self._store = store
        self._profiles = profiles

    def read(self, users: Sequence[str], now: datetime) -> list[Taste]:
        """As `Profiles.read`. Raises Unavailable."""
        if not users:
            return []
        live = self._profiles.read(users, now)
        with self._store.transaction() as tx:
            earlier = tx.interactions.earlier(users)
        return [with_earlier(taste, earlier[user]) if user in earlier else taste for user, taste in zip(users, live, strict=True)]
