"""What serving needs of the world: the champion, features, the seen index, a log; and what its listener needs of Postgres."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Literal, NamedTuple, Protocol
from uuid import UUID

from evergreen.core.canary import CanaryTally, is_asked
from evergreen.core.clock import ClockReading
from evergreen.core.experiment import Experiment
from evergreen.ports.model import Answering, ModelSpec, Scoring

AckPhase = Literal["prepared", "serving", "refused"]
Seen = Literal["MAYBE", "NO"]


@dataclass(frozen=True)
class LoadedModel:
    """A verified, warmed version. Immutable: a swap exchanges the reference, so a request that took it keeps it to the end."""

    spec: ModelSpec
    version: int
    answering: Answering
    schema_hash: str
    """Of the features it was trained on: part of every cache key."""
    score: Scoring
    inline: bool = True
    """Fast enough to run on the event loop; else it goes to the bounded pool."""
    reference: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """How the target was spread in training: quantiles in even steps from 0 to 100 %, by segment and `*`. Empty: the version keeps none."""
    usual: Mapping[str, float] = field(default_factory=dict)
    """Of features, by name: the middle value in training, of a category the most frequent one. Empty: the version keeps none."""

    @cached_property
    def name(self) -> str:
        return f"{self.spec.name}@{self.version}"


@dataclass(frozen=True)
class Champion:
    """Who answers, as one reference."""

    loaded: LoadedModel
    epoch: int
    shadow: LoadedModel | None = None
    """The previous champion while this one is in bake: scored alongside, in the log only."""
    canary: Canary | None = None

    def of(self, entity: str) -> Champion:
        """Who answers this entity."""
        canary = self.canary
        return self if canary is None or not is_asked(canary.champion.loaded.name, entity, canary.share) else canary.champion


@dataclass(frozen=True)
class Canary:
    """A candidate that answers a share of the entities before it may take over."""

    champion: Champion
    """The candidate, under the champion's epoch. Raises CanaryFailed where it has no answer."""
    share: float
    deployment_id: UUID


class ServedModels(Protocol):
    def at_once(self, model: str) -> Champion | None:
        """Without waiting; None: ask `champion`."""

    async def champion(self, model: str) -> Champion:
        """Raises NoChampion."""


@dataclass(frozen=True)
class StoredFeatures:
    features: Mapping[str, Any]
    as_of: datetime
    seconds_left: float = field(default=0.0, compare=False)
    """For which they may be kept, unless generation `features` changes before."""


UNKNOWN_SECONDS = 10.0
"""For which "nothing is known of it" is believed."""


class FeatureStore(Protocol):
    async def get(self, model: str, entity: str) -> StoredFeatures | None:
        """None: nothing is known of it. Raises Unavailable."""

    async def get_many(self, model: str, entities: Sequence[str]) -> Mapping[str, StoredFeatures]:
        """Of those that are known, each what `get` says; one question for all. Raises Unavailable."""


class SeenIndex(Protocol):
    def known(self, entity: str, now: datetime) -> Seen | None:
        """What `seen` would say, if that is sure without asking anyone; None: ask."""

    async def seen(self, entity: str, now: datetime) -> Seen:
        """In the 7 days up to `now` (platform time). NO is certain. Raises Unavailable: a filter that cannot be read is never a NO."""

    async def seen_many(self, entities: Sequence[str], now: datetime) -> Sequence[Seen]:
        """The same of many, in their order, in one question."""


class PredictionRecord(NamedTuple):
    """One answer for the prediction log."""

    prediction_id: str
    champion: Champion
    entity: str | None
    """None: rows of a scoring protocol have no name."""
    given: bytes
    """JSON object: what the caller sent of features."""
    answer: bytes
    """JSON object."""
    features: bytes
    """JSON object: all the model was asked with and the feature row made of it, so that another version can be asked the same."""
    latency_seconds: float
    cached: bool
    time: datetime
    traceparent: str = ""


Later = Callable[[], Sequence[PredictionRecord]]
"""Records that are made when nobody waits."""


class PredictionLog(Protocol):
    def record(self, record: PredictionRecord | Later) -> None:
        """Telemetry: never waits, never raises; a full buffer drops and counts."""


class IdempotencyKeys(Protocol):
    async def claim(self, key: str, said: str) -> str:
        """Remember `said` under the key for a day and return what was first said under it. Raises Unavailable."""


@dataclass(frozen=True)
class Preparing:
    """A deployment that wants to be loaded and warmed; as a canary it answers a share too."""

    deployment_id: UUID
    model: str
    version: int
    share: float = 0.0
    """Of entities it answers already."""


@dataclass(frozen=True)
class ChampionNow:
    """A row of `champions` with its deployment."""

    model: str
    version: int
    epoch: int
    deployment_id: UUID | None = None
    """None: remembered on disk while Postgres is away."""
    shadow_version: int | None = None


@dataclass(frozen=True)
class Fleet:
    """One consistent look at what workers must do."""

    champions: Sequence[ChampionNow]
    preparing: Sequence[Preparing] = ()
    clock: ClockReading | None = None
    generations: Mapping[str, int] = field(default_factory=dict)
    """See `core.generations`."""
    experiments: Sequence[Experiment] = ()
    """Those that run."""


@dataclass(frozen=True)
class Beat:
    worker_id: str
    pid: int
    state: Literal["starting", "ready", "draining"]
    serving: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


class FleetRegistry(Protocol):
    """Tables `champions`, `deployments`, `serving_workers`, `worker_acks` as a worker sees them. Every call raises Unavailable."""

    async def listen(self, heard: Callable[[], None]) -> None:
        """Call `heard` whenever a champion, a deployment, an experiment or the clock changes. Called before each look; does nothing while it listens."""

    async def look(self) -> Fleet: ...

    async def beat(self, beat: Beat) -> None: ...

    async def acknowledge_prepared(self, worker_id: str, deployment_id: UUID) -> bool:
        """False, and nothing written, when the deployment no longer prepares: a worker that slept must not speak of the past."""

    async def acknowledge_serving(self, worker_id: str, champion: ChampionNow) -> bool:
        """False, and nothing written, when the epoch is no longer this one."""

    async def refuse(self, worker_id: str, deployment_id: UUID, reason: str) -> bool:
        """False, and nothing written, when the deployment is closed."""

    async def report_canary(self, worker_id: str, deployment_id: UUID, tally: CanaryTally) -> bool:
        """All this worker has counted since it began. False, and nothing written, when the deployment is no canary (any more)."""
