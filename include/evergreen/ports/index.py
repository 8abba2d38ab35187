"""What the indexer writes: the catalogue, the online feature store, and the high-volume records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Protocol

from evergreen.ports.batches import BatchTransaction
from evergreen.ports.storage import Lease


@dataclass(frozen=True)
class FeatureRow:
    model: str
    entity: str
    features: Mapping[str, Any]
    as_of: datetime


class Catalogue(Protocol):
    """Table `videos`."""

    def upsert(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Newer wins: values of the row with the later `last_seen` stay, `first_seen` is the earliest ever told."""


class FeatureTable(Protocol):
    """Table `online_features`."""

    def upsert(self, rows: Sequence[FeatureRow]) -> None:
        """Newer `as_of` wins; the same again changes nothing."""


class IndexedBatches(Protocol):
    def has(self, dataset: str, batch_id: str, sha256: str) -> bool: ...

    def record(self, dataset: str, batch_id: str, sha256: str) -> None: ...


class Generations(Protocol):
    """Table `cache_generations`, see `core.generations`."""

    def bump(self, kind: str, by: str) -> None:
        """With the commit every serving worker is told to drop what it keeps of this kind."""


@dataclass(frozen=True)
class PredictionRow:
    source: str
    id: str
    time: datetime
    prediction_id: str
    model: str
    version: int
    entity: str | None
    features: Mapping[str, Any]
    predicted: float
    lower: float | None
    upper: float | None
    answer: Mapping[str, Any]
    latency_seconds: float
    cached: bool
    shadow_version: int | None
    shadow_predicted: float | None


@dataclass(frozen=True)
class FeedbackRow:
    source: str
    id: str
    time: datetime
    model: str
    entity: str
    prediction_id: str | None
    outcome: Mapping[str, Any]
    label: float | None


@dataclass(frozen=True)
class MetricsRow:
    source: str
    id: str
    time: datetime
    service: str
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class ExposureRow:
    source: str
    id: str
    time: datetime
    list_id: str
    user_id: str
    model: str
    version: int | None
    items: Sequence[str]
    experiment: str | None
    variant: str | None


class StreamRecords(Protocol):
    """Tables `predictions`, `feedback`, `metrics`, `exposures`, partitioned by day. Each returns how many rows were new: (source, id) is recorded once,
    also when a repeat carries another time."""

    def predictions(self, rows: Sequence[PredictionRow]) -> int: ...

    def feedback(self, rows: Sequence[FeedbackRow]) -> int: ...

    def metrics(self, rows: Sequence[MetricsRow]) -> int: ...

    def exposures(self, rows: Sequence[ExposureRow]) -> int: ...


class ForgottenPeople(Protocol):
    """Table `forgotten_users`."""

    def forgotten(self, users: Sequence[str]) -> Mapping[str, datetime]:
        """Of these users those who are forgotten, and until when they are."""

    def hold(self) -> None:
        """Nobody is forgotten until the transaction ends."""


class IndexTransaction(BatchTransaction, Protocol):
    @property
    def videos(self) -> Catalogue: ...
    @property
    def online_features(self) -> FeatureTable: ...
    @property
    def indexed_batches(self) -> IndexedBatches: ...
    @property
    def generations(self) -> Generations: ...
    @property
    def stream(self) -> StreamRecords: ...
    @property
    def interactions(self) -> ForgottenPeople: ...

    def savepoint(self) -> AbstractContextManager[None]:
        """What fails inside is undone alone. Raises Unavailable, and nothing else, for what is the database's fault."""


class IndexStore(Protocol):
    def transaction(self, lease: Lease | None = None) -> AbstractContextManager[IndexTransaction]: ...


class FeatureCopies(Protocol):
    """Fast copies of the feature store that serving keeps."""

    def forget(self, keys: Sequence[tuple[str, str]]) -> None:
        """(model, entity): the next reader takes them from the table again. Raises Unavailable."""


StreamRow = PredictionRow | FeedbackRow | MetricsRow | ExposureRow


def days_of(rows: Sequence[StreamRow]) -> list[date]:
    """The UTC days whose partitions the rows need."""
    return sorted({row.time.astimezone(UTC).date() for row in rows})
