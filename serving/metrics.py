"""Serving's metrics, a closed list, added up over all workers on the port.

Each worker writes its numbers into files of one folder (prometheus_client's multi-process mode, switched on by `share_metrics` before the
first import); whoever is scraped reads all of them. A worker that dies keeps its counts: a restart loses nothing, a total never falls."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import time
from enum import StrEnum
from pathlib import Path
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from evergreen.ports.cache import Layer
from evergreen.services.predict import Answer
from serving.tally import Observed, Tally

_LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_STATM = Path("/proc/self/statm")
_PID = re.compile(r"gauge_live[a-z]*_(\d+)\.db")


_OWN_PID = os.getpid()
if values.ValueClass is not values.MutexValue:
    # prometheus_client would ask the kernel for the process' id at every count, in case it was forked: ten system calls a request.
    values.ValueClass = values.MultiProcessValue(lambda: _OWN_PID)  # type: ignore[no-untyped-call]


StreamKind = Literal["sse", "websocket"]


class StreamEnd(StrEnum):
    """Why a stream of pushed lists ended."""

    GONE = "gone"
    """Its client went."""
    DRAINED = "drained"
    """The worker goes."""
    SLOW = "slow"
    """Its client did not read, and was dropped."""
    TOKEN = "token"  # noqa: S105 - a word
    """It expired or was revoked."""
    TALKED = "talked"
    """A message came over a socket that takes none."""
    DONE = "done"
    """After the time its client asked for."""
    BROKEN = "broken"
    """Something here failed, or was cancelled: see the log."""


class Metrics:
    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._answered: dict[tuple[str, str, int], tuple[Tally, Observed]] = {}
        self._predicted: dict[tuple[str, int], tuple[Tally, Observed]] = {}
        self._tallies: list[Tally | Observed] = []
        self.registry = own = CollectorRegistry()
        # Requests answered, by route template: alert on the share of 5xx.
        self.requests = Counter("api_requests", "Requests answered", ["endpoint", "method", "status"], registry=own)
        # Time from the request's head to the answer's end: the objective is 100 ms at p99.
        self.seconds = Histogram("api_request_duration_seconds", "Time to answer", ["endpoint"], buckets=_LATENCY, registry=own)
        # Predictions by version: shows a promotion taking over.
        self.predictions = Counter("predictions", "Predictions answered", ["model_name", "version"], registry=own)
        self.prediction_seconds = Histogram("prediction_duration_seconds", "Time of a prediction", ["model_name"], buckets=_LATENCY, registry=own)
        # A low hit ratio with much traffic: entries expire too soon, or keys differ in what does not matter.
        self.cache_hits = Counter("cache_hits", "Predictions found in a layer", ["layer"], registry=own)
        self.cache_misses = Counter("cache_misses", "Predictions not found in a layer", ["layer"], registry=own)
        self.connections = Gauge("active_connections", "Open client connections", multiprocess_mode="livesum", registry=own)
        # Processes that take connections: below what is wanted for long, see `evergreen status`. Where each has its own /metrics, Prometheus adds up.
        self.workers = Gauge("serving_workers", "Workers that take connections", multiprocess_mode="livesum", registry=own)
        # Requests being answered now: many per worker mean that they wait for each other.
        self.in_flight = Gauge("requests_in_flight", "Requests under way", multiprocess_mode="livesum", registry=own)
        # Processor time and memory of all workers together.
        self.cpu_seconds = Counter("worker_cpu_seconds", "Processor time of all workers", registry=own)
        self.memory = Gauge("worker_memory_bytes", "Resident memory of all workers", multiprocess_mode="livesum", registry=own)
        self._in_flight, self._cpu_told = 0, 0.0
        # From hearing of an epoch to answering with it; a prepared version takes milliseconds.
        self.swap_seconds = Histogram("model_swap_seconds", "Time of a champion swap", ["model_name"], buckets=_LATENCY, registry=own)
        # Answers a canary could not give, the champion gave them: its promotion is cancelled when they are more than chance.
        self.canary_failures = Counter("canary_failures", "Answers a canary could not give", ["model_name", "version"], registry=own)
        # 1 while a part is missing that answers would use: see `degraded_reasons` in the answers.
        self.degraded = Gauge("degraded", "Answers are degraded", multiprocess_mode="livemax", registry=own)
        self.breaker_open = Gauge("breaker_open", "Calls to this part fail at once", ["part"], multiprocess_mode="livemax", registry=own)
        # Telemetry lost: Kafka is away or too slow; drift and performance checks see less than was served.
        self.log_dropped = Counter("prediction_log_dropped", "Prediction log records lost", registry=own)
        self._degraded: bool | None = None
        self._looked_up = {(layer, hit): self._lookups(layer, hit) for layer in get_args(Layer) for hit in (True, False)}
        self._of_callers(own)

    def _of_callers(self, own: CollectorRegistry) -> None:
        # Requests not let in, by why: many Unauthorized or Login are somebody trying, many TooManyRequests a limit that is too small or a loop.
        self.requests_refused = Counter("requests_refused", "Requests not let in", ["why"], registry=own)
        # 1 while limits are counted by each worker alone, since Redis does not answer.
        self.limiter_degraded = Gauge("limiter_degraded", "Limits are counted without Redis", multiprocess_mode="livemax", registry=own)
        # Lists answered, by where they came from: many "computed" are lists that expire or are asked for in unusual ways, many "popular" a part that is away.
        self.recommendations = Counter("recommendations", "Lists of recommendations answered", ["origin"], registry=own)
        # Connections that wait for pushed lists.
        self.streams = Gauge("recommendation_streams", "Open streams of pushed lists", ["kind"], multiprocess_mode="livesum", registry=own)
        # Many "slow" are clients that do not read; many "broken" a fault here.
        self.streams_ended = Counter("recommendation_streams_ended", "Streams of pushed lists that ended", ["kind", "why"], registry=own)

    def entered(self) -> None:
        self._in_flight += 1

    def left(self) -> None:
        self._in_flight -= 1

    def answered(self, endpoint: str, method: str, status: int, seconds: float) -> None:
        """Children are found once: `labels()` costs more than counting."""
        children = self._answered.get((endpoint, method, status))
        if children is None:
            children = self._tally(self.requests.labels(endpoint, method, str(status))), self._observed(self.seconds.labels(endpoint))
            self._answered[endpoint, method, status] = children
        children[0].inc()
        children[1].observe(seconds)

    def _lookups(self, layer: Layer, hit: bool) -> Tally:
        return self._tally((self.cache_hits if hit else self.cache_misses).labels(layer))

    def _tally(self, child: Counter) -> Tally:
        self._tallies.append(made := Tally(child))
        return made

    def _observed(self, child: Histogram) -> Observed:
        self._tallies.append(made := Observed(child))
        return made

    def flush(self) -> None:
        """What was counted since the last time becomes visible to all. On the event loop: counting is not for threads."""
        for tally in self._tallies:
            tally.flush()
        self.in_flight.set(self._in_flight)

    def refused(self, why: str) -> None:
        self.requests_refused.labels(why).inc()

    def canary_failed(self, model: str, version: int) -> None:
        """Called by the pool's threads."""
        self.canary_failures.labels(model, str(version)).inc()

    def predicted(self, answer: Answer) -> None:
        self.scored(answer.model, answer.version, 1, answer.seconds)
        if answer.degraded is not self._degraded:
            self._degraded = answer.degraded
            self.degraded.set(answer.degraded)

    def scored(self, model: str, version: int, rows: int, seconds: float) -> None:
        """`rows` predictions answered at once."""
        children = self._predicted.get((model, version))
        if children is None:
            children = self._tally(self.predictions.labels(model, str(version))), self._observed(self.prediction_seconds.labels(model))
            self._predicted[model, version] = children
        children[0].inc(rows)
        children[1].observe(seconds)

    def looked_up(self, layer: Layer, hit: bool) -> None:
        self._looked_up[layer, hit].inc()

    def swapped(self, model: str, seconds: float) -> None:
        self.swap_seconds.labels(model).observe(seconds)

    def dropped(self, count: int = 1) -> None:
        self.log_dropped.inc(count)

    def recommended(self, origin: str) -> None:
        self.recommendations.labels(origin).inc()

    def stream_begun(self, kind: StreamKind) -> None:
        self.streams.labels(kind).inc()

    def stream_ended(self, kind: StreamKind, end: StreamEnd) -> None:
        self.streams.labels(kind).dec()
        self.streams_ended.labels(kind, end.value).inc()

    def used(self) -> None:
        """What this worker uses of the machine, now and then."""
        cpu = time.process_time()
        self.cpu_seconds.inc(max(0.0, cpu - self._cpu_told))
        self._cpu_told = cpu
        with contextlib.suppress(OSError):  # no /proc: memory stays unknown
            self.memory.set(int(_STATM.read_text().split()[1]) * resource.getpagesize())

    def render(self) -> bytes:
        """All workers' numbers in Prometheus' text format, this one's as of its last `flush`. Reads files: not for the event loop."""
        registry = self.registry
        if self._folder is not None:
            self.forget_the_dead()
            registry = CollectorRegistry()
            MultiProcessCollector(registry, path=str(self._folder))  # type: ignore[no-untyped-call]
        ratio = GaugeMetricFamily("cache_hit_ratio", "Share of predictions that came from a cache, since the start")
        hits = _total(registry, "cache_hits")
        misses = _total(registry, "cache_misses", layer="l2")  # who missed the last layer missed the cache
        ratio.add_metric([], hits / (hits + misses) if hits + misses else 0.0)
        extra = CollectorRegistry()
        extra.register(_Only(ratio))
        return generate_latest(registry) + generate_latest(extra)

    def leave(self) -> None:
        """This worker's live gauges end with it."""
        self.flush()
        if self._folder is not None:
            mark_process_dead(os.getpid(), path=str(self._folder))  # type: ignore[no-untyped-call]

    def forget_the_dead(self) -> None:
        """Take away the live gauges of workers that were killed."""
        if self._folder is None:
            return
        for file in self._folder.glob("gauge_live*.db"):
            match = _PID.fullmatch(file.name)
            if match and not _runs(int(match[1])):
                with contextlib.suppress(FileNotFoundError):  # another worker was first
                    mark_process_dead(int(match[1]), path=str(self._folder))  # type: ignore[no-untyped-call]


def _runs(pid: int) -> bool:
    """A killed process that its parent has not collected yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in {"Z", "X"}


def _total(registry: CollectorRegistry, family: str, **labels: str) -> float:
    samples = (sample for metric in registry.collect() if metric.name == family for sample in metric.samples)
    return sum(s.value for s in samples if s.name == f"{family}_total" and labels.items() <= s.labels.items())


class _Only:
    def __init__(self, family: GaugeMetricFamily) -> None:
        self._family = family

    def collect(self) -> list[GaugeMetricFamily]:
        return [self._family]
