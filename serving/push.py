"""Who looks at which user's lists here, and how each hears of a new one.

Guarantee: a connection gets every list its user's stream holds behind the place it began at, in order, each once. Nothing is kept for it here
but that place: what it has not read yet lies in Redis, bounded, and is read again after a cut. Failure: Redis is away. Remedy: the connection
stays, hears nothing, and goes on at its place once Redis is back. Failure: a client does not read. Remedy: after SLOW_SECONDS its connection is
dropped; it comes back with its place."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from evergreen.core.access import Principal
from evergreen.core.errors import Unavailable
from evergreen.ports.pushes import Pushed, Pushes, WakeUps
from serving.auth.refusals import TooManyRequests
from serving.metrics import StreamEnd

HEARTBEAT_SECONDS = 15.0
"""Below every proxy's patience. Each is also a look at Redis and at the token."""
RETRY_SECONDS = 1.0
"""While Redis does not answer."""
SLOW_SECONDS = 5.0
"""For one message to leave this process."""
AT_ONCE = 10
PLACE = r"^[0-9]{1,16}-[0-9]{1,16}$"
"""Of `Last-Event-ID`."""


@dataclass(eq=False)
class Seat:
    """One connection."""

    user: str
    principal: Principal
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    gone: bool = False
    """Its client."""

    def leave(self) -> None:
        self.gone = True
        self.woken.set()


class PushHub:
    """Belongs to one event loop."""

    def __init__(
        self,
        pushes: Pushes,
        wake_ups: WakeUps,
        *,
        per_worker: int,
        per_user: int,
        still_counts: Callable[[Principal], None] = lambda _principal: None,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        """`still_counts` raises Unauthorized for whose token does not."""
        self._pushes, self._wake_ups = pushes, wake_ups
        self._per_worker, self._per_user = per_worker, per_user
        self._still_counts = still_counts
        self._heartbeat_seconds = heartbeat_seconds
        self._seats: dict[str, set[Seat]] = {}
        self._listening: asyncio.Task[None] | None = None
        self.count = 0
        self.closing = False

    def join(self, user: str, principal: Principal) -> Seat:
        """Call `leave` in the end. Raises Unavailable, TooManyRequests."""
        if self.closing:
            raise Unavailable("this worker is going away: connect again")
        if self.count >= self._per_worker:
            raise Unavailable(f"{self.count} streams are open in this worker, and that is its limit: connect again, perhaps another one takes it")
        own = sum(seat.principal.subject == principal.subject for seat in self._seats.get(user, ()))
        if own >= self._per_user:
            raise TooManyRequests(f"{own} streams of this user are open here for this caller, and that is the limit: close one first", {"Retry-After": "5"})
        seat = Seat(user, principal)
        self._seats.setdefault(user, set()).add(seat)
        self.count += 1
        if self._listening is None:
            self._listening = asyncio.create_task(self._wake_ups.follow(self.wake))
        return seat

    def leave(self, seat: Seat) -> None:
        own = self._seats[seat.user]
        own.remove(seat)
        if not own:
            del self._seats[seat.user]
        self.count -= 1
        if not self.count:
            self._stop_listening()

    def why(self, seat: Seat) -> StreamEnd:
        """Its lists ended."""
        return StreamEnd.GONE if seat.gone else StreamEnd.DRAINED if self.closing else StreamEnd.DONE

    def wake(self, user: str | None) -> None:
        """None: everybody."""
        woken = self._seats.values() if user is None else (self._seats.get(user, ()),)
        for seat in (seat for seats in woken for seat in seats):
            seat.woken.set()

    def drain(self) -> None:
        """Everybody is sent away, each after the message under way, and nobody else is let in."""
        self.closing = True
        self.wake(None)

    async def lists(self, seat: Seat, after: str | None, seconds: float | None = None) -> AsyncGenerator[Pushed | None, None]:
        """None: a heartbeat. Ends when the client is gone, the worker goes, or after `seconds`. Raises Unauthorized when the token counts no more."""
        loop = asyncio.get_running_loop()
        until = math.inf if seconds is None else loop.time() + seconds
        beat = loop.time() + self._heartbeat_seconds
        place: str | None = None
        while not (seat.gone or self.closing):
            seat.woken.clear()
            found, place, pause = await self._next(seat.user, place, after)
            for pushed in found:
                yield pushed
            if len(found) >= AT_ONCE:
                continue
            if loop.time() >= until:
                return
            await _woken(seat, min(pause, beat - loop.time(), until - loop.time()))
            if loop.time() >= beat and not seat.gone:
                self._still_counts(seat.principal)
                yield None
                beat = loop.time() + self._heartbeat_seconds

    async def _next(self, user: str, place: str | None, after: str | None) -> tuple[Sequence[Pushed], str | None, float]:
        """What is new, the place behind it, and for how long to wait for a word of more."""
        try:
            if place is None:
                return *await self._pushes.begin(user, after), math.inf
            found = await self._pushes.after(user, place, AT_ONCE)
        except Unavailable:
            return (), place, RETRY_SECONDS
        return found, found[-1].id if found else place, math.inf

    def _stop_listening(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            self._listening = None


async def _woken(seat: Seat, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(max(seconds, 0.0)):
            await seat.woken.wait()
