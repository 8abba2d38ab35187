"""What a request counts, in plain numbers, handed to Prometheus in bites: a count there costs a lock and a write to a shared file, and a request
makes nine of them.

Guarantee: every count arrives within a tick of the worker (a tenth of a second), and before its own `/metrics` answers. Failure: kill -9.
Remedy: none for that tenth of a second."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

from prometheus_client import Counter, Histogram


class Tally:
    """Belongs to one thread."""

    __slots__ = ("_amount", "_child")

    def __init__(self, child: Counter) -> None:
        self._child = child
        self._amount = 0

    def inc(self, amount: int = 1) -> None:
        self._amount += amount

    def flush(self) -> None:
        amount, self._amount = self._amount, 0
        if amount:
            self._child.inc(amount)


class Observed:
    """Of a histogram: how many fell into each bucket, and their sum. Belongs to one thread."""

    __slots__ = ("_bounds", "_child", "_counts", "_sum")

    def __init__(self, child: Histogram) -> None:
        self._child: Any = child
        self._bounds: list[float] = self._child._upper_bounds
        self._counts = [0] * len(self._bounds)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def flush(self) -> None:
        if not any(self._counts):
            return
        for bucket, count in zip(self._child._buckets, self._counts, strict=True):
            if count:
                bucket.inc(count)
        self._child._sum.inc(self._sum)
        self._counts, self._sum = [0] * len(self._bounds), 0.0
