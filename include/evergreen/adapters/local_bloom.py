"""The seen index as a serving worker asks it: its own copy of the bits, Redis where that cannot be sure.

Guarantee: NO is certain, as Redis' own NO is: whatever was added before the question was put is MAYBE. MAYBE needs no proof, bits are only
ever set. A NO needs one that the copy holds everything: Redis said, at most LEASE_SECONDS ago, that the index still has the copy's version;
a writer says "added" only when that time is over (`redis_bloom`), so nothing it has added can be missing. Failure: the version is another
one, Redis was emptied or is rebuilt. Remedy: Redis answers, and the copy is renewed behind it. While Redis says that there is no index yet,
everything is MAYBE, and it is asked again twice a second. Redis away: Unavailable, as ever."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from evergreen.adapters.bloom_copy import BloomCopy, Day, holdable
from evergreen.adapters.redis_bloom_question import DEFAULT_NAMESPACE, AsyncRedisSeenIndex, Layout
from evergreen.adapters.redis_link import RedisLink
from evergreen.core.errors import Unavailable
from evergreen.core.seen_window import LEASE_SECONDS, WINDOW_DAYS
from evergreen.ports.seen_index import Seen as Found
from evergreen.ports.serving import Seen

REFRESH_SECONDS = 0.5
"""At least so long between two renewals: while the indexer writes, Redis answers what the copy cannot."""
_MEMO = 8192
_BATCH = 16
"""From here on numpy is faster."""


class LocalSeenIndex:
    def __init__(self, link: RedisLink, namespace: str = DEFAULT_NAMESPACE) -> None:
        self._link = link
        self._layout = Layout(namespace)
        self.shared = AsyncRedisSeenIndex(link.run_script, namespace)
        self.copy = BloomCopy()
        self._unready = False
        """Redis said so when it was last asked."""
        self._proved = float("-inf")
        """When the question was sent that Redis answered with the copy's version."""
        self._proving: asyncio.Future[list[Any]] | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._renewed = float("-inf")
        self._memo: dict[str, bool] = {}
        self._of: tuple[BloomCopy, int, int] | None = None
        """What the memo is of: copy, day, its mask."""

    def known(self, entity: str, now: datetime) -> Seen | None:
        if self._link.breaker.open:
            return None
        proved = self._is_proved()
        mask = self._mask(now)
        if mask is None:
            return "MAYBE" if self._unready else None
        maybe = self._memo.get(entity)
        if maybe is None:
            if len(self._memo) >= _MEMO:
                self._memo.clear()
            maybe = self._memo[entity] = self.copy.maybe(entity, mask)
        return "MAYBE" if maybe else "NO" if proved else None

    async def seen(self, entity: str, now: datetime) -> Seen:
        """In the seven UTC days up to `now`. Raises Unavailable."""
        answer = self.known(entity, now)
        if answer is None and not self._link.breaker.open and self.copy.version and self._ask_for_proof():
            await self._proof()
            answer = self.known(entity, now)
        return answer or await self.shared.seen(entity, now)

    async def seen_many(self, entities: Sequence[str], now: datetime) -> Sequence[Seen]:
        """The same of many, in their order."""
        found = await self.maybe_seen(entities, now.astimezone(UTC).date())
        return ["NO" if one is Found.NO else "MAYBE" for one in found]

    async def maybe_seen(self, items: Sequence[str], today: date, days: int = WINDOW_DAYS) -> list[Found]:
        """Of today and the `days` - 1 before, in order of `items`. Raises Unavailable."""
        if not self._is_proved() and self.copy.version and not self._link.breaker.open and self._ask_for_proof():
            await self._proof()
        if self._unready and not self._link.breaker.open:
            return [Found.MAYBE] * len(items)
        mask = self.copy.mask(today, days)
        if mask is None or not self._is_proved():
            return await self.shared.maybe_seen(items, today, days)
        found = self.copy.maybe_many(items, mask) if len(items) >= _BATCH else [self.copy.maybe(item, mask) for item in items]
        return [Found.MAYBE if one else Found.NO for one in found]

    async def settle(self) -> None:
        """Wait for the renewal under way, if any; begin one if the copy is of no version."""
        if not self.copy.version:
            self._renew()
        if self._renewing is not None:
            await asyncio.wait([self._renewing])

    async def close(self) -> None:
        if self._renewing is not None:
            self._renewing.cancel()

    def _is_proved(self) -> bool:
        """Asks for the next proof while the last one still holds, so that under load nobody waits for one."""
        age = time.monotonic() - self._proved
        if not self.copy.version:
            self._renew()
        elif age > LEASE_SECONDS / 2:
            self._ask_for_proof()
        return age <= LEASE_SECONDS

    def _mask(self, now: datetime) -> int | None:
        day = now.toordinal() if now.tzinfo is UTC else now.astimezone(UTC).toordinal()
        of = self._of
        if of is not None and of[0] is self.copy and of[1] == day:
            return of[2]
        mask = self.copy.mask(date.fromordinal(day), WINDOW_DAYS)
        if mask is not None:
            self._memo.clear()
            self._of = (self.copy, day, mask)
        return mask

    def _ask_for_proof(self) -> bool:
        if self._proving is None:
            try:
                asked = self._link.ask(("HGET", self._layout.state, "version"))
            except Unavailable:
                return False
            copy, sent = self.copy, time.monotonic()
            self._proving = asked
            asked.add_done_callback(lambda answered: self._prove(answered, copy, sent))
        return True

    async def _proof(self) -> None:
        """Raises Unavailable."""
        if self._proving is not None:
            await asyncio.shield(self._proving)

    def _prove(self, answered: asyncio.Future[list[Any]], copy: BloomCopy, sent: float) -> None:
        self._proving = None
        if answered.cancelled() or answered.exception() is not None:
            return
        [version] = answered.result()
        if isinstance(version, bytes) and version.decode("utf-8", "replace") == self.copy.version:
            if copy is self.copy:
                self._proved = sent
        else:
            self._renew()

    def _renew(self) -> None:
        now = time.monotonic()
        if self._renewing is None and now - self._renewed >= REFRESH_SECONDS:
            self._renewed = now
            self._renewing = asyncio.get_running_loop().create_task(self._renew_copy())

    async def _renew_copy(self) -> None:
        try:
            await self._read()
        except (Unavailable, ValueError):
            self.copy, self._unready = BloomCopy(), False  # what cannot be read tells nothing
        finally:
            self._renewing = None

    async def _read(self) -> None:
        sent = time.monotonic()
        # Both at once, or a day that goes between them would be one without items.
        *_, read = await self._link.ask(("MULTI",), ("HGETALL", self._layout.state), ("HGETALL", self._layout.days), ("EXEC",))
        if not isinstance(read, list):
            raise Unavailable("Redis refuses")
        state, days = _pairs(read[0]), {date.fromisoformat(day): int(layers) for day, layers in _pairs(read[1]).items()}
        version, newest = state.get("version", ""), state.get("newest")
        self._unready = state.get("status") != "ready"
        if self._unready or not version or not holdable(days, date.fromisoformat(newest) if newest else date.min):
            self.copy = BloomCopy()
            return
        versions = {day: state.get(f"version:{day.isoformat()}", "") for day in days}
        copy = self.copy
        changed = [day for day, found in versions.items() if not found or copy.days.get(day) != found]
        fresh = {day: await self._day(day, days[day]) for day in changed}
        held = {day: fresh[day].version if day in fresh else found for day, found in versions.items()}
        floor = date.fromisoformat(state["floor"]) if "floor" in state else date.min
        self.copy = await asyncio.get_running_loop().run_in_executor(None, copy.renewed, version, floor, held, fresh)
        self._proved = sent

    async def _day(self, day: date, layers: int) -> Day:
        """Its version and bits of one moment; no version when it has grown a layer since the layers were counted: then it is read again."""
        layout, name = self._layout, day.isoformat()
        bitmaps = [("GET", layout.bitmap(day, index)) for index in range(layers)]
        *_, read = await self._link.ask_large(("MULTI",), ("HGET", layout.state, f"version:{name}"), ("HGET", layout.days, name), *bitmaps, ("EXEC",))
        version, counted, *found = read if isinstance(read, list) else (None, None)
        if len(found) != layers or not all(isinstance(bitmap, bytes) for bitmap in found):
            raise Unavailable("a bitmap is lost")
        return Day((version or b"").decode() if counted == str(layers).encode() else "", tuple(found))


def _pairs(flat: Sequence[bytes]) -> Mapping[str, str]:
    return {name.decode(): value.decode() for name, value in zip(flat[::2], flat[1::2], strict=True)}
