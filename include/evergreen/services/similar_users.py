"""Users with the same taste, among those who were active lately: by the cosine of their vectors, in this process' memory.

Guarantee: who was forgotten (`forget_user`) is named to nobody a minute later. What other workers' users did is looked up now and then; nothing
here is needed to answer anybody, so it may be a few seconds behind."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from evergreen.core.boosts import USER_COSINE, USERS
from evergreen.core.clock import wall_now
from evergreen.core.recommending import Taste, milliseconds
from evergreen.ports.profiles import Profiles
from evergreen.ports.recommending import Ranker

REFRESH_SECONDS = 5.0
AT_ONCE = 2_000
"""Looked up in one refresh: the rest comes with the next ones."""
KEPT = 20_000
WHOLE_SECONDS = 20.0
"""How often those who are known are compared with those there are; who was read since then stays until the next time."""


class Tastes(Protocol):
    def read(self, users: Sequence[str], now: datetime) -> Sequence[Taste]:
        """As `Profiles.read`."""


class SimilarUsers:
    def __init__(self, profiles: Profiles, tastes: Tastes) -> None:
        self._profiles = profiles
        self._tastes = tastes
        self._version = ""
        self._vectors: dict[str, tuple[int, NDArray[np.float32]]] = {}
        """User -> as of when (milliseconds of wall time), and where."""
        self._names: list[str] = []
        self._matrix: NDArray[np.float32] | None = None
        self._looked_at = 0
        self._due = self._whole_due = 0.0

    def know(self, ranker: Ranker, tastes: Mapping[str, Taste]) -> None:
        """What was read of them just now."""
        self._of(ranker)
        now = milliseconds(wall_now())
        for user, taste in tastes.items():
            self._vectors[user] = (now, ranker.user_vector(taste.weighted()).astype(np.float32))

    def refresh(self, ranker: Ranker, now: datetime) -> None:
        """When it is due. Raises Unavailable."""
        if time.monotonic() < self._due:
            return
        self._of(ranker)
        active = sorted(self._active(), key=lambda one: one[1])
        unknown = [(user, at) for user, at in active if self._vectors.get(user, (-1, None))[0] < at]
        users = [user for user, _ in unknown[:AT_ONCE]]
        self.know(ranker, dict(zip(users, self._tastes.read(users, now), strict=True)))
        looked_at = unknown[:AT_ONCE] if len(unknown) > AT_ONCE else active
        self._looked_at = looked_at[-1][1] if looked_at else self._looked_at
        for user in sorted(self._vectors, key=lambda one: self._vectors[one][0])[: max(0, len(self._vectors) - KEPT)]:
            del self._vectors[user]
        self._names = list(self._vectors)
        self._matrix = np.stack([vector for _, vector in self._vectors.values()]) if self._vectors else None
        self._due = time.monotonic() + REFRESH_SECONDS

    def _active(self) -> Sequence[tuple[str, int]]:
        """Who was active since the last look. Now and then all are asked for: who is none of them any more is not kept."""
        if time.monotonic() < self._whole_due:
            return self._profiles.active_since(self._looked_at)
        every = dict(self._profiles.active_since(0))
        read_since = milliseconds(wall_now()) - WHOLE_SECONDS * 1000
        self._vectors = {user: known for user, known in self._vectors.items() if user in every or known[0] > read_since}
        self._whole_due = time.monotonic() + WHOLE_SECONDS
        return [(user, at) for user, at in every.items() if at > self._looked_at]

    def like(self, users: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Of each user those who are alike, at most 50, nearest first. Of a user nobody knows: nobody."""
        return {user: [name for name, _ in near] for user, near in self.near(users).items()}

    def near(self, users: Sequence[str]) -> Mapping[str, Sequence[tuple[str, float]]]:
        """The same, each with the cosine."""
        known = [user for user in users if user in self._vectors]
        if self._matrix is None or not known:
            return {}
        cosines = self._matrix @ np.stack([self._vectors[user][1] for user in known]).T
        return {user: self._nearest(user, cosines[:, at]) for at, user in enumerate(known)}

    @property
    def compared(self) -> int:
        """Users looked up so far."""
        return len(self._names)

    def _nearest(self, user: str, cosines: NDArray[np.float32]) -> list[tuple[str, float]]:
        alike = np.flatnonzero(cosines >= USER_COSINE)
        alike = alike[np.argsort(-cosines[alike], kind="stable")][: USERS + 1]
        return [(name, float(cosines[at])) for name, at in ((self._names[at], at) for at in alike.tolist()) if name != user][:USERS]

    def _of(self, ranker: Ranker) -> None:
        """Another version has another space."""
        if ranker.version != self._version:
            self._version, self._vectors, self._names, self._matrix = ranker.version, {}, [], None
            self._looked_at, self._due = 0, 0.0
