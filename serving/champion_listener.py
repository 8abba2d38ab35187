"""Follows Postgres: loads what is preparing, swaps when the epoch changes, says so, and beats.

Guarantee: one look at Postgres decides what to do, so whatever was missed (a lost notification, a restart, a minute of SIGSTOP) is caught
up with the next look, at most a second later. What is acknowledged was true when it was written (see `FleetRegistry`). A worker is heard of
when it takes its first connections: no promotion waits for one that still loads, and none misses it, since it looks again after its first
word. Failure: a version cannot be loaded. Remedy: refused with its reason; the champion keeps answering. Postgres away: the last champion
keeps answering, and a worker that starts then takes the one remembered on disk."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from evergreen.core.errors import Unavailable
from evergreen.core.generations import Generations
from evergreen.ports.serving import Fleet, FleetRegistry, LoadedModel
from serving.canary import Canaries
from serving.clock import PlatformTime
from serving.experiments import Assigner
from serving.following import Following, Memory
from serving.model_slot import ModelSlots
from serving.version_loads import VersionLoads
from serving.voice import State, Voice

POLL_SECONDS = 1.0
FROZEN_SECONDS = 3.0
log = structlog.get_logger(__name__)


class ChampionListener:
    def __init__(
        self,
        *,
        fleet: FleetRegistry,
        slots: ModelSlots,
        load: Callable[[str, int], LoadedModel],
        memory: Memory,
        clock: PlatformTime,
        worker_id: str,
        pid: int,
        on_swap: Callable[[str, float], None] | None = None,
        on_canary_fault: Callable[[str, int], None] | None = None,
        generations: Generations | None = None,
    ) -> None:
        self.worker_id = worker_id
        self._fleet = fleet
        self._slots = slots
        self._memory = memory
        self._clock = clock
        self._generations = generations or Generations()
        self.assigner = Assigner(slots)
        self._loads = VersionLoads(slots, load, self.poke)
        self._canaries = Canaries(on_canary_fault)
        self._following = Following(slots, self._loads, memory, self._canaries, on_swap)
        self._voice = Voice(fleet, worker_id, pid, slots.serving)
        self._known: Fleet | None = None
        self._poked = asyncio.Event()
        self._round_over = asyncio.Event()
        self._looks = self._looked = 0  # begun, and the newest that is over
        self._ticked = time.monotonic()
        self._ticking: asyncio.TimerHandle | None = None
        self._slept = False
        self._fault = ""
        self._tasks: list[asyncio.Task[None]] = []
        self._draining = self._takes_part = False
        slots.slept, slots.awake = self.slept, self.awake

    @property
    def ready(self) -> bool:
        """It knows who serves and has every one of them; with no champion at all there is nothing to have."""
        return self._known is not None and all(self._following.serves(champion) for champion in self._known.champions)

    def missing(self) -> str:
        """Why it is not ready."""
        if self._known is None:
            return "Postgres has not answered yet and no champion is remembered on this disk"
        waiting = [champion for champion in self._known.champions if not self._following.serves(champion)]
        reasons = {f"{c.model}@{c.version}": self._loads.failure(c.model, c.version) for c in waiting}
        return "; ".join(f"{name}: {failure.reason if failure else 'loading'}" for name, failure in reasons.items())

    def start(self) -> None:
        self._tick()
        self._tasks = [asyncio.create_task(self._follow_forever())]

    async def settle(self, timeout_seconds: float) -> bool:
        """Wait until it is ready, then take part; False after the time-out (it takes part all the same) or when it shall drain (it does not).

        A champion that changes before its first heartbeat is seen by the look after it; one that changes later waits for its word."""
        deadline = time.monotonic() + timeout_seconds
        await self._await(lambda: self.ready, deadline)
        if not self._draining:
            await self._voice.beat(self._state())
            self._takes_part = True
            self._tasks.append(asyncio.create_task(self._beat_forever()))
            before = self._looks
            self.poke()
            await self._await(lambda: self._looked > before and self.ready, deadline)
        return self.ready

    async def _await(self, condition: Callable[[], bool], deadline: float) -> None:
        while not condition() and not self._draining and time.monotonic() < deadline:
            await self._next_round(min(POLL_SECONDS, deadline - time.monotonic()))

    def give_way(self) -> None:
        """From now on no promotion waits for this worker."""
        self._draining = True

    async def drain(self) -> None:
        self.give_way()
        await self._voice.beat(self._state())

    async def stop(self) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._loads.stop()

    def poke(self) -> None:
        """Look now."""
        self._poked.set()

    async def learned(self, kind: str, generation: int) -> None:
        """Wait until this worker follows the generation, a second at most."""
        self.poke()
        await self._await(lambda: self._generations.of(kind) >= generation, time.monotonic() + POLL_SECONDS)

    async def awake(self) -> None:
        """After SIGSTOP a worker would answer with the champion of then until its next look: its first requests wait for that, a second at most."""
        self._slept = True
        self.poke()
        await self._next_round(POLL_SECONDS)

    def slept(self) -> bool:
        return self._slept or time.monotonic() - self._ticked > FROZEN_SECONDS

    async def _next_round(self, timeout_seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._round_over.wait()

    def _tick(self) -> None:
        if self.slept():
            self._slept = True
            self.poke()
        self._ticked = time.monotonic()
        self._ticking = asyncio.get_running_loop().call_later(POLL_SECONDS / 2, self._tick)

    def _state(self) -> State:
        return "draining" if self._draining else "ready" if self.ready else "starting"

    async def _beat_forever(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await self._voice.beat(self._state())

    async def _follow_forever(self) -> None:
        while True:
            self._poked.clear()
            self._looks += 1
            try:
                await self._look()
                self._fault = ""
            except Unavailable as error:
                self._go_on_without(error)
            self._looked = self._looks
            self._slept = False
            self._round_over.set()
            self._round_over = asyncio.Event()
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):  # `wait_for` would lose a cancellation that comes with a poke
                    await self._poked.wait()

    def _go_on_without(self, error: Unavailable) -> None:
        """Postgres is away: what is known stays; a worker that knows nothing yet takes what is remembered."""
        if str(error) != self._fault:
            self._fault = str(error)
            log.warning("champions_not_followed", error=self._fault)
        if self._known is None and (remembered := self._memory.read()):
            log.warning("champions_from_disk", error=str(error), champions=[f"{c.model}@{c.version}" for c in remembered])
            self._known = Fleet(remembered)
        if self._known is not None:
            self._following.follow(self._known)

    async def _look(self) -> None:
        await self._fleet.listen(self.poke)
        self._known = await self._fleet.look()
        self._clock.follow(self._known.clock)
        self._generations.follow(self._known.generations)
        self._following.follow(self._known)
        self.assigner.follow(self._known.experiments)
        if self._takes_part and not self._draining:
            await self._speak(self._known)

    async def _speak(self, fleet: Fleet) -> None:
        for champion in fleet.champions:
            failure = self._loads.failure(champion.model, champion.version)
            if self._following.serves(champion):
                await self._voice.serving(champion, self._state())
            elif failure is not None and failure.refused:
                await self._voice.refused(champion.deployment_id, failure.reason)
        for preparing in fleet.preparing:
            failure = self._loads.failure(preparing.model, preparing.version)
            if self._slots.held(preparing.model, preparing.version) is not None:
                await self._voice.prepared(preparing.deployment_id)
            elif failure is not None and failure.refused:
                await self._voice.refused(preparing.deployment_id, failure.reason)
            if (tally := self._canaries.tally(preparing)) is not None:
                await self._voice.canary(preparing.deployment_id, tally)
