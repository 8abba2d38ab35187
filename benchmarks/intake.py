"""How fast intake is, through real Kafka and Postgres on this machine: `python benchmarks/intake.py [--json]`.

Two figures: events a second when a backlog waits (batches), and how soon a decision follows its event at 200 a second. The mix is a
loop's day: half of it only recorded, a fifth announced batches (each makes an action whose doorbell comes back as an event), the rest
drift, performance and processed data."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from evergreen.adapters.kafka import KafkaPublisher
from evergreen.bootstrap import Parts
from evergreen.contracts.envelope import Event, new_id
from evergreen.core.clock import wall_now
from evergreen.local_stack.home import Home
from evergreen.local_stack.processes import recorded
from evergreen.local_stack.testing import stack

MODEL, DATASET = "video_performance", "videos.KR"
WEEK = {"first_day": "2025-07-30", "last_day": "2025-08-05"}
PATIENCE = 300.0


def mixed(count: int) -> Iterator[Event]:
    for number in range(count):
        yield _event(number)


def _event(number: int) -> Event:
    part = number % 10
    if part < 5:
        return _made("service_recovered", "serving", {"service_name": "serving"})
    if part < 7:
        batch = {"batch_id": f"b{number}", "dataset": DATASET, "path": "/data/b.parquet", "rows": 1400, "window": WEEK, "sha256": "0" * 64}
        return _made("data_ingested", DATASET, batch)
    if part == 7:
        return _made("data_processed", DATASET, {"batch_id": f"b{number}", "dataset": DATASET, "rows": 1400, "quarantined": 0, "window": WEEK})
    if part == 8:
        features = [{"name": f"f{index}", "effect": 0.3, "q_value": 0.01} for index in range(number % 4)]
        drift = {"model_version": f"{MODEL}@1", "drift_score": 0.2, "affected_features": features, "severity": "low", "window": WEEK, "n": 200}
        return _made("data_drift_detected", MODEL, drift)
    numbers = {"performance_drop": 0.07, "current_performance": 0.25, "baseline_performance": 0.23, "n": 200, "interval": [0.05, 0.1]}
    names = {"model_name": MODEL, "model_version": f"{MODEL}@1", "severity": "low", "window": WEEK}
    return _made("model_performance_degraded", MODEL, {**names, **numbers})


def _made(event_type: str, subject: str, data: dict[str, Any]) -> Event:
    return Event(id=new_id(), source="/benchmark", type=event_type, subject=subject, time=wall_now(), data=data)


class Bench:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._publisher = KafkaPublisher(parts.settings.kafka, max_waiting_telemetry=1_000_000)

    def backlog(self, count: int) -> dict[str, float]:
        """The worker stands still while the backlog grows, then takes it in."""
        events = list(mixed(count))
        self._signal(signal.SIGSTOP)
        for start in range(0, count, 2_000):
            self._publisher.publish_all(events[start : start + 2_000])
        before = self._ask("SELECT count(*) FROM events")[0]
        started = time.monotonic()
        self._signal(signal.SIGCONT)
        self._await(events)
        seconds = time.monotonic() - started
        taken = self._ask("SELECT count(*) FROM events")[0] - before
        return {"published": count, "events_per_second": count / seconds, "with_the_loops_own_per_second": taken / seconds, "seconds": seconds}

    def steady(self, rate: int, seconds: float) -> dict[str, float]:
        events, pause = [], threading.Event()
        started = time.monotonic()
        for number, event in enumerate(mixed(int(rate * seconds))):
            now = event.model_copy(update={"time": wall_now()})
            self._publisher.publish_soon(now)
            events.append(now)
            pause.wait(max(0.0, started + number / rate - time.monotonic()))
        self._await(events)
        ids = [event.id for event in events]
        figures: dict[str, float] = {"rate": rate}
        for since, column in (("receipt", "received_at"), ("production", "produced_at")):
            figures |= {f"after_{since}_{name}": ms for name, ms in self._percentiles(f"d.recorded_at - e.{column}", ids).items()}
        return figures

    def _percentiles(self, latency: str, ids: list[str]) -> dict[str, float]:
        found = self._ask(
            f"""SELECT percentile_disc(ARRAY[0.5, 0.99, 1]) WITHIN GROUP (ORDER BY extract(epoch FROM {latency})::float * 1000)
                FROM decisions d JOIN events e ON e.source = d.event_source AND e.id = d.event_id WHERE e.id = ANY(%s)""",
            ids,
        )[0]
        return dict(zip(("p50_ms", "p99_ms", "max_ms"), found, strict=True))

    def _await(self, events: list[Event]) -> None:
        pause, deadline, ids = threading.Event(), time.monotonic() + PATIENCE, [event.id for event in events]
        while self._ask("SELECT count(DISTINCT event_id) FROM decisions WHERE event_source = '/benchmark' AND event_id = ANY(%s)", ids)[0] < len(ids):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not all of {len(ids)} events were decided within {PATIENCE:.0f} s")
            pause.wait(0.25)

    def _ask(self, statement: str, *values: object) -> tuple[Any, ...]:
        with self._parts.store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchone() or ()

    def _signal(self, number: signal.Signals) -> None:
        process = recorded(Home(self._parts.settings.home).pid_file("intake"))
        if process is None:
            raise RuntimeError("the intake worker does not run")
        process.send_signal(number)


def _told(backlog: Mapping[str, float], steady: Mapping[str, float]) -> str:
    lines = [
        f"backlog of {backlog['published']:.0f}: {backlog['events_per_second']:.0f} events/s, wanted 1,000"
        f" ({backlog['with_the_loops_own_per_second']:.0f} with the doorbells that come back)"
    ]
    for since, bound in (("receipt", "100"), ("production", "1,000")):
        p50, p99 = steady[f"after_{since}_p50_ms"], steady[f"after_{since}_p99_ms"]
        lines.append(f"at {steady['rate']:.0f}/s, decided after {since}: p50 {p50:.0f} ms, p99 {p99:.0f} ms, wanted {bound}")
    return "\n".join(lines) + "\n"


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=int, default=10_000)
    arguments.add_argument("--rate", type=int, default=200)
    arguments.add_argument("--seconds", type=float, default=15.0)
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args()
    with stack({"postgres", "kafka", "redis", "intake"}) as settings:
        bench = Bench(Parts(settings))
        bench.backlog(500)  # connections made, code loaded
        figures = {"backlog": bench.backlog(given.events), "steady": bench.steady(given.rate, given.seconds)}
    if given.json:
        sys.stdout.write(json.dumps(figures) + "\n")
        return 0
    sys.stdout.write(_told(figures["backlog"], figures["steady"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
