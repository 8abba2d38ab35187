"""A candidate that answers a share of the requests before it may take over: who is asked which, and what its answers say of it."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

from evergreen.core.binomial import at_least

ENOUGH = 50
"""Answers before anything is said of them."""
MAX_FAILED = 0.01
MAX_LATE = 0.01
"""Of its answers, slower than the spec's latency gate: the gate's bound as its p99."""
SURE = 0.001
"""A share is above its bound when chance alone would show as much this rarely: it is asked again and again while the canary lasts."""


@dataclass(frozen=True)
class CanaryRules:
    share: float
    """Of entities. 0: no canary."""
    seconds: float
    """Wall time it lasts."""
    min_requests: int
    """With fewer answers by then nothing was shown either way, which is recorded."""


@dataclass(frozen=True)
class CanaryTally:
    """Answers the candidate computed (cached ones say nothing of it)."""

    asked: int = 0
    failed: int = 0
    """It raised, or said a number that is none."""
    late: int = 0

    def __add__(self, other: CanaryTally) -> CanaryTally:
        return CanaryTally(self.asked + other.asked, self.failed + other.failed, self.late + other.late)

    def __str__(self) -> str:
        return f"{self.asked} answers, {self.failed} failed, {self.late} too slow"


def is_asked(version: str, entity: str, share: float) -> bool:
    """Whether the candidate answers this entity: always the same one, in every process; for another version other entities."""
    return int.from_bytes(blake2b(f"{version}/{entity}".encode(), digest_size=8).digest()) < share * 2**64


def fault(tally: CanaryTally) -> str:
    """Why it must not take over; empty while nothing is known against it."""
    if tally.asked < ENOUGH:
        return ""
    if at_least(tally.failed, tally.asked, MAX_FAILED) < SURE:
        return f"{tally.failed} of {tally.asked} answers failed, {MAX_FAILED:.0%} is allowed"
    if at_least(tally.late, tally.asked, MAX_LATE) < SURE:
        return f"{tally.late} of {tally.asked} answers were too slow, {MAX_LATE:.0%} is allowed"
    return ""
