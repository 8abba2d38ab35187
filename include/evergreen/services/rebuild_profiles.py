"""Profiles made anew from what is recorded.

Guarantee: afterwards a profile is what its user's rows say, also when events are applied meanwhile. Failure: an event is applied between the
reading of the rows and the replacing. Remedy: the profile's marks have changed, nothing is replaced, the rows are read again; whoever applies an
event has recorded it before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

import structlog

from evergreen.core.errors import Unavailable
from evergreen.core.recommending import effect_of, together
from evergreen.ports.interactions import InteractionRow, InteractionStore
from evergreen.ports.profiles import Place, Profiles, Whole

PAGE = 500
ATTEMPTS = 20
log = structlog.get_logger(__name__)


class RebuildProfiles:
    def __init__(self, store: InteractionStore, profiles: Profiles) -> None:
        self._store = store
        self._profiles = profiles

    def run(self) -> int:
        """Everybody. Returns how many there are. Raises Unavailable."""
        count, last = 0, ""
        while True:
            with self._store.transaction() as tx:
                users = tx.interactions.users(last, PAGE)
            if not users:
                break
            self.users(users)
            count, last = count + len(users), users[-1]
        self._profiles.say_whole()
        log.info("profiles_rebuilt", users=count)
        return count

    def users(self, users: Sequence[str]) -> None:
        """These. Of whom nothing is recorded nothing is made."""
        left = list(users)
        for _ in range(ATTEMPTS):
            if not left:
                return
            marks = dict(zip(left, self._profiles.marks(left), strict=True))
            with self._store.transaction() as tx:
                rows = sorted(tx.interactions.of_users(left), key=lambda row: row.user_id)  # by time still: the sort is stable
            wholes = {user: whole_of(list(own)) for user, own in groupby(rows, key=lambda row: row.user_id)}
            left = list(self._profiles.replace({user: (marks[user], whole) for user, whole in wholes.items()}))
        raise Unavailable(f"{len(left)} profiles change faster than they can be made anew")


def whole_of(rows: Sequence[InteractionRow]) -> Whole:
    """All of one user's, by time."""
    newest: dict[tuple[str, int], Place] = {}
    for place in (row.place for row in rows):
        known = newest.get((place.stream, place.partition))
        if known is None or known.topic_id != place.topic_id or known.offset < place.offset:
            newest[place.stream, place.partition] = place
    return Whole(together(effect_of(row.did) for row in rows), len(rows), tuple(newest.values()))


def by_user(rows: Sequence[InteractionRow]) -> Mapping[str, list[InteractionRow]]:
    """In the order of their first rows; each user's as they came."""
    found: dict[str, list[InteractionRow]] = {}
    for row in rows:
        found.setdefault(row.user_id, []).append(row)
    return found
