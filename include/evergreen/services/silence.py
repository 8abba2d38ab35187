"""Silences: nothing is told about what they cover until their time, and everybody sees who said so and why, and who ended it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from evergreen.contracts.envelope import new_id
from evergreen.core.clock import Clock
from evergreen.core.errors import InvalidRequest, NotFound
from evergreen.core.notices import Silence
from evergreen.ports.notifications import NotifyStore

LONGEST = timedelta(days=30)


class SilenceAlerts:
    def __init__(self, store: NotifyStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def begin(self, *, lasts: timedelta, who: str, reason: str, model: str | None = None, event_type: str | None = None, up_to: str = "critical") -> Silence:
        """`lasts` counts platform time. Raises InvalidRequest."""
        if not timedelta(0) < lasts <= LONGEST:
            raise InvalidRequest(f"a silence lasts up to {LONGEST.days} days; a longer one would be forgotten")
        if not reason.strip():
            raise InvalidRequest("a silence needs a reason: others will ask why nothing was said")
        if model is None and event_type is None and up_to == "critical":
            raise InvalidRequest("name a model, a type, or the highest severity to silence: all of everything is what `evergreen down` is for")
        now = self._clock.now()
        silence = Silence(UUID(new_id()), now + lasts, who, reason.strip(), now, model, event_type, up_to)
        with self._store.transaction() as tx:
            tx.silences.add(silence)
        return silence

    def end(self, named: str, who: str) -> Silence:
        """By its id or the end of it; as it is then. Raises NotFound."""
        now = self._clock.now()
        with self._store.transaction() as tx:
            found = [one for one in tx.silences.running(now) if str(one.id).endswith(named.lower())]
            if len(found) != 1 or not named:
                raise NotFound(f"{'no' if not found else len(found)} running silences named {named!r}: `evergreen alerts silences` lists them")
            tx.silences.end(found[0].id, now, who)
        return replace(found[0], ended_at=now, ended_by=who)
