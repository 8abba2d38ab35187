"""The prediction cache: answers of one version and epoch, by what was asked; and what empties it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    import asyncio

Layer = Literal["l1", "l2"]


@dataclass(slots=True)
class CachedAnswer:
    """What the model said, apart from everything that differs from request to request. Shared, so never changed; not frozen, for that makes it
    three times as long in the making."""

    body: bytes
    """JSON object: the model's answer."""
    features: bytes
    """JSON object: what it was asked with, stored and related features included."""
    version: str
    """`name@N`, compared with the key's on the way out."""
    features_as_of: datetime | None = None
    seconds_left: float = field(default=0.0, compare=False)
    """Of its time in the cache, as far as the cache says."""


Nothing = Literal["absent", "away"]
"""What the shared layer says instead of an answer: that it has none, or nothing at all."""


class Asked(NamedTuple):
    """A question to the shared layer that is under way."""

    answered: asyncio.Future[Any]
    answer: Callable[[], CachedAnswer | Nothing]
    """What came of it. Once, after `answered` is done."""


class PredictionCache(Protocol):
    """Guarantee: what comes out is what was put in under this key, or nothing. The key holds model, version, epoch and feature schema, so
    a promotion invalidates by construction."""

    async def get(self, key: str, version: str) -> tuple[CachedAnswer, Layer] | None:
        """An unreadable value is a miss and is deleted. Raises Unavailable when the shared layer does not answer in time."""

    def ask(self, key: str, version: str) -> Asked | None:
        """As `get`, for who goes on elsewhere meanwhile. None: there is nothing to wait for, or nobody to ask; `get` it."""

    def put(self, key: str, answer: CachedAnswer) -> float:
        """At once in the process, soon in the shared layer; never raises, never waits. Returns for how many seconds."""

    def expired(self, key: str) -> CachedAnswer | None:
        """What this process still has under the key although its time is over: for when nothing better can be had. Never raises."""


class CacheGenerations(Protocol):
    """Table `cache_generations` as an operator changes it."""

    async def bump(self, kind: str, by: str) -> int:
        """Every process drops what it keeps of this kind, within a second. Returns the new generation. Raises Unavailable."""
