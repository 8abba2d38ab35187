"""What counters say between two looks: requests, errors, times, cache hits. Counters only rise, except that a restart starts them anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

Series = tuple[str, tuple[tuple[str, str], ...]]
"""Name and sorted labels."""
Samples = Mapping[Series, float]

PROBES = frozenset({"/livez", "/readyz", "/metrics"})
"""Asked by machines: their answers are no traffic (`/readyz` says 503 while it warms)."""
REQUESTS, SECONDS = "api_requests_total", "api_request_duration_seconds"
HITS, MISSES = "cache_hits_total", "cache_misses_total"
CPU, MEMORY, WORKERS, IN_FLIGHT = "worker_cpu_seconds_total", "worker_memory_bytes", "serving_workers", "requests_in_flight"
READ = frozenset({REQUESTS, f"{SECONDS}_sum", f"{SECONDS}_count", f"{SECONDS}_bucket", HITS, MISSES, CPU, MEMORY, WORKERS, IN_FLIGHT})
"""Everything that is read of serving's metrics."""


@dataclass(frozen=True)
class Traffic:
    """Of one or more windows."""

    requests: float = 0.0
    errors: float = 0.0
    """Answered with 5xx."""
    timed: float = 0.0
    seconds: float = 0.0
    hits: float = 0.0
    misses: float = 0.0
    """Of the last layer: who missed it missed the cache."""
    cpu_seconds: float = 0.0
    buckets: tuple[tuple[float, float], ...] = ()
    """(upper bound in seconds, requests up to it), ascending, the last one infinite."""

    def plus(self, other: Traffic) -> Traffic:
        bounds = sorted({bound for bound, _ in (*self.buckets, *other.buckets)})
        mine, theirs = dict(self.buckets), dict(other.buckets)
        numbers = {name: getattr(self, name) + getattr(other, name) for name in ("requests", "errors", "timed", "seconds", "hits", "misses", "cpu_seconds")}
        return Traffic(**numbers, buckets=tuple((bound, mine.get(bound, 0.0) + theirs.get(bound, 0.0)) for bound in bounds))


def increase(before: Samples, after: Samples) -> dict[Series, float]:
    """Of each series. One that fell was started anew: what it shows came after; one that is new started at zero."""
    return {series: value - before.get(series, 0.0) if value >= before.get(series, 0.0) else value for series, value in after.items()}


def traffic_of(increased: Samples) -> Traffic:
    asked = {series: value for series, value in increased.items() if dict(series[1]).get("endpoint") not in PROBES}

    def total(name: str, **labels: str) -> float:
        return sum(value for (found, pairs), value in asked.items() if found == name and labels.items() <= dict(pairs).items())

    failed = sum(value for (name, pairs), value in asked.items() if name == REQUESTS and dict(pairs).get("status", "").startswith("5"))
    return Traffic(
        requests=total(REQUESTS),
        errors=failed,
        timed=total(f"{SECONDS}_count"),
        seconds=total(f"{SECONDS}_sum"),
        hits=total(HITS),
        misses=total(MISSES, layer="l2"),
        cpu_seconds=total(CPU),
        buckets=_buckets(asked),
    )


def _buckets(asked: Samples) -> tuple[tuple[float, float], ...]:
    sums: dict[float, float] = {}
    for (name, pairs), value in asked.items():
        if name == f"{SECONDS}_bucket":
            bound = float(dict(pairs)["le"])
            sums[bound] = sums.get(bound, 0.0) + value
    return tuple(sorted(sums.items()))


def gauge(samples: Samples, name: str) -> float | None:
    """The sum of a gauge's series; None when there is none."""
    found = [value for (known, _), value in samples.items() if known == name]
    return sum(found) if found else None


def quantile(buckets: Sequence[tuple[float, float]], share: float) -> float | None:
    """As Prometheus' `histogram_quantile`: linear inside a bucket; beyond the last finite bound that bound. None without observations."""
    if not buckets or buckets[-1][1] <= 0:
        return None
    rank = share * buckets[-1][1]
    for (lower, below), (upper, count) in pairwise([(0.0, 0.0), *buckets]):
        if count >= rank and count > below:
            return lower if upper == float("inf") else lower + (upper - lower) * (rank - below) / (count - below)
    return buckets[-1][0]
