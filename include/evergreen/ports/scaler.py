"""Starting and stopping workers of a service, whatever runs them, and the memory of what a scale action decided."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from evergreen.core.errors import InvalidRequest
from evergreen.core.scaling import Bound, Bounds
from evergreen.ports.storage import Lease, Transaction


@dataclass(frozen=True)
class Scale:
    running: int
    """Workers that run now."""
    wanted: int
    """Workers there should be: those that are being started or come back after a crash are counted, those that drain are not."""
    minimum: int
    maximum: int

    @property
    def bounds(self) -> Bounds:
        return Bounds(self.minimum, self.maximum)


class Scaler(Protocol):
    """Both raise InvalidRequest for a service it does not scale (the message names those it does) and Unavailable where what runs the
    workers does not answer, refuses, or takes too long."""

    def current(self, service: str) -> Scale: ...

    def set(self, service: str, number: int) -> None:
        """`number` is an absolute count, so the same call again changes nothing; outside the bounds it raises InvalidRequest. Returns when what
        runs the workers has taken it: new ones may still be starting (`current` tells when they run), surplus ones are told to drain."""


def bounds_of(service: str, scaled: Mapping[str, Bounds]) -> Bounds:
    """For adapters. Raises InvalidRequest."""
    if service not in scaled:
        raise InvalidRequest(f"{service!r} cannot be scaled; what can be: {', '.join(sorted(scaled)) or 'nothing'}")
    return scaled[service]


def checked(service: str, number: int, scaled: Mapping[str, Bounds]) -> int:
    """`number`, if the service may have so many workers. Raises InvalidRequest."""
    bounds = bounds_of(service, scaled)
    if number not in bounds:
        setting = f"EVERGREEN_{service.upper()}__MIN_WORKERS and __MAX_WORKERS"
        raise InvalidRequest(f"{service} takes {bounds.minimum} to {bounds.maximum} workers, not {number}; the bounds are {setting}")
    return number


@dataclass(frozen=True)
class Scaling:
    """What one scale action does: decided once, then repeated word for word."""

    service: str
    before: int
    after: int
    bound: Bound | None = None


class Scalings(Protocol):
    """Kept with the action itself, as its result to be."""

    def of(self, action_id: UUID) -> Scaling | None:
        """What an earlier attempt decided."""

    def decide(self, lease: Lease, scaling: Scaling) -> None: ...


class ScalingTransaction(Transaction, Protocol):
    @property
    def scalings(self) -> Scalings: ...


class ScalingStore(Protocol):
    def transaction(self, lease: Lease | None = None) -> AbstractContextManager[ScalingTransaction]: ...
