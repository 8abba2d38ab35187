"""What all workers together have let through, and leases on what they still may."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

WINDOW_SECONDS = 60
LEASE_SECONDS = 1.0
SLOTS = WINDOW_SECONDS + int(LEASE_SECONDS) + 1
"""One a second. A lease of a slot may be spent a second after it, and a window begins within a slot: with this many counted, no sixty seconds hold more."""


@dataclass(frozen=True)
class Wanted:
    """`need`: what a request costs; `want`: how much a worker would like to have at hand."""

    limit: int
    need: int
    want: int
    share: int
    """Never more than one `share`-th of what is left beyond the need: others want some too."""
    back: int = 0
    back_slot: int = 0
    """What is given back of an earlier lease, unspent."""
    spent: int = 0
    """What was let through without asking, while nobody could be asked."""


class Granted(NamedTuple):
    amount: int
    """0, or at least the need."""
    slot: int
    left: int
    """Of the limit, after this."""
    wait_seconds: float
    """Refused: until the need could be met. Granted: until something comes back."""


class SharedLimits(Protocol):
    """Guarantee: what is granted and not given back never exceeds the limit within SLOTS seconds, whoever asks and however many at once."""

    async def take(self, key: str, wanted: Wanted) -> Granted:
        """Raises Unavailable."""
