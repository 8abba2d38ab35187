"""A person is forgotten: what is recorded, what Redis knows, and what models are trained on.

Guarantee: afterwards nothing of what the person did until now is left or comes back: events that come again are not recorded. Failure: the
process dies in between, or a part is away. Remedy: again from the start. A worker that has an event of the person in hand may write to Redis once
more, and one of serving may keep a list: they are looked after a second time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import structlog

from evergreen.core.clock import Clock
from evergreen.core.earlier import entity_of
from evergreen.core.generations import FEATURES
from evergreen.core.recommending import MODEL
from evergreen.ports.index import FeatureCopies
from evergreen.ports.interactions import InteractionStore
from evergreen.ports.profiles import Profiles

IN_HAND_SECONDS = 2.0
log = structlog.get_logger(__name__)


class ForgetUser:
    def __init__(
        self,
        store: InteractionStore,
        profiles: Profiles,
        copies: FeatureCopies,
        erase: Callable[[str], int],
        clock: Clock,
        *,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        """`erase`: the user's rows of what models are trained on; returns how many there were."""
        self._store = store
        self._profiles = profiles
        self._copies = copies
        self._erase = erase
        self._clock = clock
        self._wait = wait

    def run(self, user: str) -> Mapping[str, int]:
        """Rows that went, by table. Raises Unavailable."""
        with self._store.transaction() as tx:
            gone = dict(tx.interactions.forget(user, self._clock.now()))
        self._copies.forget([(MODEL, entity_of(user))])
        with self._store.transaction() as tx:
            tx.generations.bump(FEATURES, "forget")  # serving's workers drop what they keep
        self._profiles.forget(user)
        gone["lake"] = self._erase(user)
        self._wait(IN_HAND_SECONDS)
        self._profiles.forget(user)
        log.info("user_forgotten", rows=sum(gone.values()))
        return gone
