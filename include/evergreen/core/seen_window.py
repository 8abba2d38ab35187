"""The arithmetic of "was this seen in the last seven days?": one Bloom filter per UTC day, grown in layers, asked together.

A union of filters errs as often as all of them together, so the error allowed over the window is shared out: a seventh to each day,
and of a day's share four fifths to its first layer, a fifth of the rest to each further one. Hash and bit layout are those of
pybloom-live's `BloomFilter` (partitioned slices, SHA-384 or SHA-512, little end first), so that a filter built by it is a filter here,
byte for byte; tested against it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from struct import pack, unpack

WINDOW_DAYS = 7
"""Today and the six days before."""
KEPT_DAYS = 8
"""One more than the window: around midnight two processes may disagree on today."""
LEASE_SECONDS = 0.05
"""For this long a reader may answer from a copy that it has compared with the shared filters; a writer comes back only after it, and after
that no reader says NO to what was added."""
UNION_ERROR = 0.01
FIRST_CAPACITY = 100_000
_GROWTH = 2
_TIGHTENING = 0.2


@dataclass(frozen=True)
class Layer:
    """One filter of a day. When it is full the next, twice as large and five times as strict, takes the new items."""

    index: int
    capacity: int
    error: float
    slices: int
    bits_per_slice: int

    @property
    def bits(self) -> int:
        return self.slices * self.bits_per_slice

    @property
    def size_bytes(self) -> int:
        return (self.bits + 7) // 8


@lru_cache(maxsize=16)
def layer(index: int) -> Layer:
    capacity = FIRST_CAPACITY * _GROWTH**index
    error = UNION_ERROR / WINDOW_DAYS * (1 - _TIGHTENING) * _TIGHTENING**index
    slices = math.ceil(math.log2(1 / error))
    bits_per_slice = math.ceil(capacity * abs(math.log(error)) / (slices * math.log(2) ** 2))
    return Layer(index, capacity, error, slices, bits_per_slice)


def positions(item: str, of: Layer) -> list[int]:
    """Bits of the item in the layer's bitmap, one per slice, numbered as Redis numbers them (highest bit of a byte first)."""
    key = item.encode()
    bits = []
    for start, salted in salts(of.slices):
        digest = salted.copy()
        digest.update(key)
        words = unpack(f"<{digest.digest_size // 4}I", digest.digest())
        for at, word in enumerate(words[: of.slices - start], start):
            bit = at * of.bits_per_slice + word % of.bits_per_slice
            bits.append(bit ^ 7)  # little end first within a byte -> highest bit first
    return bits


@lru_cache(maxsize=16)
def salts(slices: int) -> tuple[tuple[int, hashlib._Hash], ...]:
    """(first slice, hash with the salt already in it): 12 or 16 slices per hash, a little-endian word of four bytes for each."""
    make = hashlib.sha384 if slices <= 12 else hashlib.sha512
    per_hash = make().digest_size // 4
    return tuple((at * per_hash, make(make(pack("<I", at)).digest())) for at in range(math.ceil(slices / per_hash)))


def window_of(today: date, days: int = WINDOW_DAYS) -> list[date]:
    """Today first."""
    return [today - timedelta(days=back) for back in range(days)]


def oldest_kept(newest: date) -> date:
    return newest - timedelta(days=KEPT_DAYS - 1)


def layer_error(bits_set: int, of: Layer) -> float:
    """Chance that an item that was not added is found: every one of its slices' bits is set."""
    return (bits_set / of.bits) ** of.slices


def union_error(errors: Iterable[float]) -> float:
    """Of asking all of them: at least one errs."""
    right = 1.0
    for error in errors:
        right *= 1.0 - error
    return 1.0 - right


def estimated_items(bits_set: int, of: Layer) -> float:
    """How many different items explain this many set bits (Swamidass and Baldi)."""
    share = bits_set / of.bits
    return math.inf if share >= 1.0 else -of.bits_per_slice * math.log1p(-share)
