"""How fast the policy is: `python benchmarks/policy.py [--json] [--events 100000]`.

Three figures. In process: events arrive at 1,000 a second, each is decided and turned into the rows one transaction would write; the
latency counts from its due arrival. Then, on a real Postgres, recorded events are decided again (replay, byte for byte) and decided by
another policy (back-test). Through Kafka and Postgres: `benchmarks/intake.py`."""

from __future__ import annotations

import argparse
import json
import logging
import random
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import structlog

from evergreen.adapters.policy_file import load_policy, parse_policy
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.contracts.actions import NO_MODEL
from evergreen.contracts.envelope import Event, encode, new_id
from evergreen.contracts.topics import TOPIC_OF, payload_of
from evergreen.core.clock import FixedClock, wall_now
from evergreen.core.state import State
from evergreen.environment import CHECKOUT
from evergreen.local_stack.testing import stack
from evergreen.ports.messaging import Received
from evergreen.ports.records import EventRow
from evergreen.services.backtest import Backtest
from evergreen.services.decide import Arrived, Planner
from evergreen.services.intake import TakeIn
from evergreen.services.replay_decisions import ReplayDecisions

MODEL, DATASET = "video_performance", "videos.KR"
CATALOGUE = {MODEL: (DATASET,)}
WEEK = {"first_day": "2025-07-30", "last_day": "2025-08-05"}
POLICY = CHECKOUT / "policies" / "default.yaml"
BATCH = 200


def mixed(count: int, clock: FixedClock, seed: int = 7) -> Iterator[Event]:
    """A busy loop: drift and performance of every severity, batches, evaluations, deployments, load. A minute apart."""
    draw = random.Random(seed)
    for number in range(count):
        clock.advance(timedelta(minutes=1))
        name = draw.choices(list(_MAKERS), weights=[weight for weight, _ in _MAKERS.values()])[0]
        subject, data = _MAKERS[name][1](draw, number)
        yield Event(id=new_id(), source="/benchmark", type=name, subject=subject, time=clock.now(), data=data)


def _drift(draw: random.Random, _number: int) -> tuple[str, dict[str, Any]]:
    features = [{"name": f"f{index}", "effect": 0.3, "q_value": 0.01} for index in range(draw.randrange(7))]
    word = draw.choice(["low", "low", "medium"])
    return MODEL, {"model_version": f"{MODEL}@1", "drift_score": draw.random(), "affected_features": features, "severity": word, "window": WEEK, "n": 200}


def _degraded(draw: random.Random, _number: int) -> tuple[str, dict[str, Any]]:
    numbers = {"performance_drop": draw.random() / 4, "current_performance": 0.25, "baseline_performance": 0.23, "n": 200, "interval": [0.05, 0.1]}
    names = {"model_name": MODEL, "model_version": f"{MODEL}@2", "severity": draw.choice(["low", "medium"]), "window": WEEK}
    return MODEL, {**names, **numbers, "rollback_target": f"{MODEL}@1", "rollback_helps": draw.random() < 0.5}


def _processed(_draw: random.Random, number: int) -> tuple[str, dict[str, Any]]:
    return DATASET, {"batch_id": f"b{number}", "dataset": DATASET, "rows": 50, "quarantined": 0, "window": WEEK}


def _evaluated(draw: random.Random, number: int) -> tuple[str, dict[str, Any]]:
    version = f"{MODEL}@{number % 50 + 2}"
    facts = {"model_name": MODEL, "model_version": version, "champion_version": f"{MODEL}@1", "approved": draw.random() < 0.3, "window": WEEK, "n": 110}
    return MODEL, {**facts, "gates": [{"name": "improvement", "passed": True, "detail": "better"}]}


def _deployed(_draw: random.Random, number: int) -> tuple[str, dict[str, Any]]:
    facts = {"model_name": MODEL, "model_version": f"{MODEL}@{number % 50 + 2}", "previous_version": f"{MODEL}@1", "epoch": number + 1, "kind": "promote"}
    return MODEL, {**facts, "reason": "benchmark", "confirmed_by": ["w1"]}


def _load(draw: random.Random, _number: int) -> tuple[str, dict[str, Any]]:
    return "serving", {"service_name": "serving", "measured": 95.0, "bound": 90.0, "severity": draw.choice(["low", "high"])}


_MAKERS: dict[str, tuple[int, Any]] = {
    "data_drift_detected": (3, _drift),
    "model_performance_degraded": (2, _degraded),
    "data_processed": (3, _processed),
    "model_evaluation_completed": (1, _evaluated),
    "model_deployed": (1, _deployed),
    "system_overload": (1, _load),
    "service_recovered": (4, lambda _draw, _number: ("serving", {"service_name": "serving"})),
}


def in_process(rate: int, seconds: float) -> dict[str, float]:
    policy, clock = load_policy(POLICY), FixedClock(wall_now())
    events = [(event, clock.now()) for event in mixed(int(rate * seconds), clock)]
    states: dict[str, State] = {MODEL: State(model=MODEL, datasets=(DATASET,)), NO_MODEL: State()}
    latencies, started = [], time.perf_counter()
    for number, (event, now) in enumerate(events):
        due = started + number / rate
        while time.perf_counter() < due:
            time.sleep(0)
        planner = Planner(policy, CATALOGUE, states, {}, now)
        planner.add(Arrived(EventRow(event, event.content_hash(), received_at=now), payload_of(event)))
        # Work ends at once here: what stays open would be absorbed into for ever.
        states = {model: State(**{**vars(state), "open": ()}) for model, state in planner.states.items()}
        latencies.append((time.perf_counter() - due) * 1000)
    latencies.sort()
    return {"rate": rate, "events": len(latencies), "p50_ms": latencies[len(latencies) // 2], "p99_ms": latencies[int(len(latencies) * 0.99)]}


def recorded(store: PostgresStore, count: int) -> float:
    """Takes `count` events in through the real use case; returns seconds."""
    clock, policy = FixedClock(wall_now() - timedelta(minutes=count)), load_policy(POLICY)
    with store.transaction() as tx:
        tx.policies.activate(policy.hash, policy.body())
    take_in, started = TakeIn(store, clock, CATALOGUE, lambda: policy), time.monotonic()
    batch: list[Received] = []
    for number, event in enumerate(mixed(count, clock)):
        batch.append(Received(TOPIC_OF[event.type], 0, number, b"k", encode(event), (), wall_now(), wall_now()))
        if len(batch) == BATCH:
            take_in.run(batch)
            batch.clear()
            _work_ends(store)
    take_in.run(batch)
    return time.monotonic() - started


def _work_ends(store: PostgresStore) -> None:
    with store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute("UPDATE actions SET status = 'succeeded', claimed_at = clock_timestamp(), finished_at = clock_timestamp() WHERE status = 'pending'")


def replayed(store: PostgresStore) -> dict[str, Any]:
    started = time.monotonic()
    found = ReplayDecisions(store).run()
    return {"decisions": found.decisions, "difference": found.difference, "seconds": time.monotonic() - started}


def backtested(store: PostgresStore) -> dict[str, Any]:
    text = POLICY.read_text(encoding="utf-8").replace("{field: drift_score, above: 0.6}", "{field: drift_score, above: 0.5}")
    started = time.monotonic()
    found = Backtest(store, CATALOGUE).run(parse_policy(text))
    return {"decisions": found.events, "differing": found.differing, "missed": len(found.missed), "seconds": time.monotonic() - started}


def _told(figures: dict[str, Any]) -> str:
    alone, again, other = figures["in_process"], figures["replay"], figures["backtest"]
    return (
        f"in process at {alone['rate']}/s: decided after p50 {alone['p50_ms']:.2f} ms, p99 {alone['p99_ms']:.2f} ms, wanted 25\n"
        f"replay of {again['decisions']} decisions: {again['seconds']:.1f} s, wanted 60; {again['difference'] or 'byte for byte the same'}\n"
        f"back-test of {other['decisions']} decisions: {other['seconds']:.1f} s, wanted 60; {other['differing']} differ\n"
    )


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=int, default=100_000)
    arguments.add_argument("--rate", type=int, default=1_000)
    arguments.add_argument("--seconds", type=float, default=10.0)
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))  # thousands of alerts are part of the mix
    figures: dict[str, Any] = {"in_process": in_process(given.rate, given.seconds)}
    with stack({"postgres"}) as settings:
        store = PostgresStore(settings.postgres.dsn.get_secret_value())
        figures["recording_seconds"] = recorded(store, given.events)
        figures |= {"replay": replayed(store), "backtest": backtested(store)}
        store.close()
    sys.stdout.write(json.dumps(figures) + "\n" if given.json else _told(figures))
    return 0 if figures["replay"]["difference"] is None else 1


if __name__ == "__main__":
    sys.exit(main())
