"""Twins of what serving needs of the world, for tests without services. Each can be told to be away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from evergreen.contracts.envelope import Event, decode, encode
from evergreen.contracts.topics import TOPIC_OF
from evergreen.core.canary import CanaryTally
from evergreen.core.clock import ClockReading
from evergreen.core.errors import PublishFailed, Unavailable
from evergreen.core.experiment import Experiment
from evergreen.ports.cache import Asked, CachedAnswer, Layer
from evergreen.ports.messaging import Position
from evergreen.ports.serving import Beat, ChampionNow, Fleet, Preparing, Seen, StoredFeatures


class Part:
    away = False

    def _answer(self) -> None:
        if self.away:
            raise Unavailable(f"{type(self).__name__} is away")


class MemoryCache(Part):
    def __init__(self, seconds: float = 0.0) -> None:
        """`seconds`: for which entries may be kept elsewhere."""
        self.entries: dict[str, CachedAnswer] = {}
        self.seconds = seconds
        self.shared = False
        """Whether entries are where they have to be asked for."""
        self.over: dict[str, CachedAnswer] = {}
        """Entries whose time is over."""

    async def get(self, key: str, version: str) -> tuple[CachedAnswer, Layer] | None:
        self._answer()
        found = self.entries.get(key)
        if found is not None and found.version != version:
            found = self.entries.pop(key) and None
        return None if found is None else (replace(found, seconds_left=self.seconds), "l1")

    def ask(self, key: str, version: str) -> Asked | None:
        if not self.shared:
            return None
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[None] = loop.create_future()
        loop.call_soon(answered.set_result, None)
        return Asked(answered, lambda: "away" if self.away else self.entries.get(key) or "absent")

    def put(self, key: str, answer: CachedAnswer) -> float:
        if not self.away:
            self.entries[key] = answer
        return self.seconds

    def expired(self, key: str) -> CachedAnswer | None:
        return self.entries.get(key) or self.over.get(key)

    def end(self) -> None:
        """Time passes: no entry may answer any more."""
        self.over |= self.entries
        self.entries.clear()


class MemoryFeatures(Part):
    def __init__(self, known: Mapping[tuple[str, str], StoredFeatures] | None = None) -> None:
        self.known = dict(known or {})
        self.asked = 0
        self.together: list[list[str]] = []
        """What was asked for at once."""

    async def get(self, model: str, entity: str) -> StoredFeatures | None:
        self._answer()
        self.asked += 1
        return self.known.get((model, entity))

    async def get_many(self, model: str, entities: Sequence[str]) -> Mapping[str, StoredFeatures]:
        self._answer()
        self.together.append(list(entities))
        return {entity: self.known[model, entity] for entity in entities if (model, entity) in self.known}


class MemorySeenIndex(Part):
    def __init__(self) -> None:
        self.items: set[str] = set()

    def known(self, entity: str, now: datetime) -> Seen | None:
        return None

    async def seen(self, entity: str, now: datetime) -> Seen:
        self._answer()
        return "MAYBE" if entity in self.items else "NO"

    async def seen_many(self, entities: Sequence[str], now: datetime) -> list[Seen]:
        return [await self.seen(entity, now) for entity in entities]


class MemoryGenerations(Part):
    def __init__(self, fleet: MemoryFleet) -> None:
        self._fleet = fleet
        self.by: list[tuple[str, str]] = []

    async def bump(self, kind: str, by: str) -> int:
        self._answer()
        self.by.append((kind, by))
        return self._fleet.bump(kind)


class MemoryKeys(Part):
    def __init__(self) -> None:
        self.said: dict[str, str] = {}

    async def claim(self, key: str, said: str) -> str:
        self._answer()
        return self.said.setdefault(key, said)


class MemoryPublisher:
    """Keeps what real Kafka would have taken: an event that cannot be encoded is refused here too."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.away = False

    def publish(self, event: Event) -> Position:
        encode(event)
        if self.away:
            raise PublishFailed(f"{event.type} {event.id} was not acknowledged")
        self.events.append(event)
        topic = TOPIC_OF[event.type]
        return Position(topic, 0, sum(TOPIC_OF[one.type] == topic for one in self.events) - 1)

    def publish_soon(self, event: Event) -> bool:
        if not self.away:
            self.publish(event)
        return not self.away

    def tell(self, topic: str, messages: Sequence[tuple[bytes, bytes]]) -> None:
        for key, value in messages:
            event = decode(value)
            if not self.away:
                assert (topic, key) == (TOPIC_OF[event.type], event.subject.encode())  # noqa: S101 - what Kafka's readers count on
                self.events.append(event)

    def close(self, timeout_seconds: float) -> None:
        """Nothing is ever under way."""

    def flush(self, timeout_seconds: float) -> int:
        return 0

    def of_type(self, event_type: str) -> list[Event]:
        return [event for event in self.events if event.type == event_type]


@dataclass
class MemoryFleet(Part):
    """The tables as a promotion changes them: `prepare`, `flip`, `close`; conditions of the acknowledgements as in Postgres."""

    champions: dict[str, ChampionNow] = field(default_factory=dict)
    preparing: dict[UUID, Preparing] = field(default_factory=dict)
    flipped: set[UUID] = field(default_factory=set)
    beats: list[Beat] = field(default_factory=list)
    acks: list[tuple[str, UUID, str]] = field(default_factory=list)
    """(phase, deployment, detail), each once."""
    clock: ClockReading | None = None
    tallies: dict[UUID, CanaryTally] = field(default_factory=dict)
    generations: dict[str, int] = field(default_factory=dict)
    experiments: list[Experiment] = field(default_factory=list)
    heard: Callable[[], None] = lambda: None

    def prepare(self, deployment: UUID, model: str, version: int) -> None:
        self.preparing[deployment] = Preparing(deployment, model, version)
        self.heard()

    def begin_canary(self, deployment: UUID, share: float) -> None:
        self.preparing[deployment] = replace(self.preparing[deployment], share=share)
        self.heard()

    def flip(self, deployment: UUID, *, shadow: bool = False) -> None:
        wanted = self.preparing.pop(deployment)
        before = self.champions.get(wanted.model)
        shadow_version = before.version if shadow and before else None
        self.champions[wanted.model] = ChampionNow(wanted.model, wanted.version, before.epoch + 1 if before else 1, deployment, shadow_version)
        self.flipped.add(deployment)
        self.heard()

    def close(self, deployment: UUID) -> None:
        self.preparing.pop(deployment, None)
        self.flipped.discard(deployment)
        self.heard()

    def end_bake(self, model: str) -> None:
        self.champions[model] = replace(self.champions[model], shadow_version=None)
        self.heard()

    def begin(self, *running: Experiment) -> None:
        self.experiments = list(running)
        self.heard()

    def bump(self, kind: str) -> int:
        self.generations[kind] = self.generations.get(kind, 0) + 1
        self.heard()
        return self.generations[kind]

    async def listen(self, heard: Callable[[], None]) -> None:
        self._answer()
        self.heard = heard

    async def look(self) -> Fleet:
        self._answer()
        return Fleet(list(self.champions.values()), list(self.preparing.values()), self.clock, dict(self.generations), list(self.experiments))

    async def beat(self, beat: Beat) -> None:
        self._answer()
        self.beats.append(beat)

    async def acknowledge_prepared(self, worker_id: str, deployment_id: UUID) -> bool:
        return self._ack("prepared", deployment_id, "", deployment_id in self.preparing)

    async def acknowledge_serving(self, worker_id: str, champion: ChampionNow) -> bool:
        now, said = self.champions.get(champion.model), champion.deployment_id
        return said is not None and self._ack("serving", said, "", now is not None and (now.epoch, now.deployment_id) == (champion.epoch, said))

    async def refuse(self, worker_id: str, deployment_id: UUID, reason: str) -> bool:
        return self._ack("refused", deployment_id, reason, deployment_id in self.preparing or deployment_id in self.flipped)

    async def report_canary(self, worker_id: str, deployment_id: UUID, tally: CanaryTally) -> bool:
        self._answer()
        still_so = deployment_id in self.preparing and self.preparing[deployment_id].share > 0
        if still_so:
            self.tallies[deployment_id] = tally
        return still_so

    def _ack(self, phase: str, deployment: UUID, detail: str, still_so: bool) -> bool:
        self._answer()
        if still_so and not any(ack[:2] == (phase, deployment) for ack in self.acks):
            self.acks.append((phase, deployment, detail))
        return still_so
