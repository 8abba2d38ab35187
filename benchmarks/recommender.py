"""How fast one recommender worker is, through real Kafka, Postgres and Redis on this machine: `python benchmarks/recommender.py [--json]`.

Two figures: interactions a second when a backlog waits, and how soon after its acknowledgement a click is in the user's list. Half of the
interactions are views, the rest positive: each of those makes its user a new list of 10,000 movies, and says so in five events."""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from evergreen.adapters.kafka import KafkaPublisher
from evergreen.adapters.kafka_lag import KafkaLag
from evergreen.bootstrap import Parts
from evergreen.contracts.envelope import Event, new_id
from evergreen.core.clock import wall_now
from evergreen.core.recommending import MODEL
from evergreen.environment import CHECKOUT, child_environment
from evergreen.local_stack.home import Home
from evergreen.local_stack.testing import stack
from evergreen.services.follow_champion import FollowChampion, ServingVersion
from evergreen.services.make_list import ListMaker
from evergreen.services.quiescence import RECOMMENDER_GROUP
from evergreen.services.record_interactions import TOPICS
from evergreen.settings import load_settings

MOVIES, FACTORS, USERS = 10_000, 64, 20_000
PATIENCE = 300.0
KINDS = {"view": 50, "click": 20, "like": 12, "add_to_cart": 5, "purchase": 5, "high_rating": 3, "recommendation_clicked": 5}
GENRES = ("Action", "Comedy", "Crime", "Drama", "Horror", "Romance", "Sci-Fi", "Thriller")


class SeededRanker:
    """Factors in clusters, as tastes are, of the size of a real version."""

    version = f"{MODEL}@1"

    def __init__(self) -> None:
        self.items: Sequence[str] = tuple(str(number) for number in range(MOVIES))
        self.popular = self.items
        self._genres = [tuple(GENRES[(number * step) % len(GENRES)] for step in (1, 3)) for number in range(MOVIES)]

    @cached_property
    def _factors(self) -> NDArray[np.float64]:
        draw = np.random.default_rng(5)
        found = draw.normal(0, 1, (200, FACTORS))[draw.integers(0, 200, MOVIES)] + draw.normal(0, 0.5, (MOVIES, FACTORS))
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))

    def scores(self, history: Sequence[tuple[str, float]]) -> NDArray[np.float64]:
        return np.asarray(self._factors @ self._summed(history)) if history else np.linspace(1.0, 0.0, MOVIES)

    def user_vector(self, history: Sequence[tuple[str, float]]) -> NDArray[np.float64]:
        summed = self._summed(history)
        return np.asarray(summed / max(float(np.linalg.norm(summed)), 1e-12))

    def similar(self, item: str, *, at_least: float, most: int) -> Sequence[tuple[str, float]]:
        cosines = self._factors @ self._factors[int(item)]
        cosines[int(item)] = -1.0
        near = np.flatnonzero(cosines >= at_least)
        return [(self.items[at], float(cosines[at])) for at in near[np.argsort(-cosines[near])][:most].tolist()]

    def genres(self, item: str) -> Sequence[str]:
        return self._genres[int(item)]

    def title(self, item: str) -> str:
        return f"Movie {item}"

    def _summed(self, history: Sequence[tuple[str, float]]) -> NDArray[np.float64]:
        return np.asarray(np.array([weight for _, weight in history]) @ self._factors[[int(item) for item, _ in history]])


def seeded_version(_version: int) -> ServingVersion:
    return ServingVersion(ListMaker(SeededRanker()), lambda matrix: np.zeros(len(matrix)), ("movie_id", "since_last"))


def worker() -> int:
    """The worker as it runs, with a version that needs no registry."""
    from evergreen.observability import configure_logging
    from evergreen.workers.lifetime import Lifetime
    from evergreen.workers.recommender import SERVICE, Recommender

    settings = load_settings()
    configure_logging(settings, SERVICE)
    lifetime, parts = Lifetime(), Parts(settings)
    parts.recommender.champion = FollowChampion(parts.store, MODEL, seeded_version)
    return Recommender(parts, lifetime.stop, lifetime.failed).run(lifetime)


def mixed(count: int, seed: int) -> list[Event]:
    chance = random.Random(seed)
    kinds = chance.choices(list(KINDS), list(KINDS.values()), k=count)
    return [_made(kind, f"u{chance.randrange(USERS)}", str(int(MOVIES * chance.random() ** 2))) for kind in kinds]


def _made(kind: str, user: str, item: str) -> Event:
    clicked = kind == "recommendation_clicked"
    data = {"user_id": user, "item_id": item} if clicked else {"user_id": user, "interaction_type": kind, "item_ids": [item], "context": {}}
    return Event(id=new_id(), source="/benchmark", type=kind if clicked else "user_interaction", subject=user, time=wall_now(), data=data)


class Bench:
    def __init__(self, parts: Parts, process: subprocess.Popen[bytes]) -> None:
        self._parts = parts
        self._process = process
        self._publisher = KafkaPublisher(parts.settings.kafka)
        self._lag = KafkaLag(parts.settings.kafka.bootstrap_servers)

    def backlog(self, count: int, seed: int) -> dict[str, float]:
        """The worker stands still while the backlog grows, then takes it in."""
        events, before = mixed(count, seed), self._recorded()
        self._process.send_signal(signal.SIGSTOP)
        for start in range(0, count, 2_000):
            self._publisher.publish_all(events[start : start + 2_000])
        started, used = time.monotonic(), self._used()
        self._process.send_signal(signal.SIGCONT)
        self._await_all(before + count)
        seconds, used = time.monotonic() - started, self._used() - used
        return {"interactions": count, "interactions_per_second": count / seconds, "seconds": seconds, "processor_ms_each": used / count * 1000}

    def clicks(self, count: int) -> dict[str, float]:
        """One after the other: acknowledged, then in the list."""
        heard: Any = self._parts.redis.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        heard.subscribe("rec:pushed")
        heard.get_message(timeout=1.0)
        took = []
        for number in range(count):
            self._publisher.publish(_made("click", f"fast{number}", str(number)))
            begun = time.monotonic()
            while (message := heard.get_message(timeout=5.0)) is None or message["data"] != f"fast{number}".encode():
                if time.monotonic() - begun > PATIENCE:
                    raise TimeoutError("no list after a click")
            took.append((time.monotonic() - begun) * 1000)
        heard.close()
        p50, p99 = np.percentile(took, [50, 99]).tolist()
        return {"clicks": count, "p50_ms": p50, "p99_ms": p99, "max_ms": max(took)}

    def _await_all(self, count: int) -> None:
        """Recorded, and what follows from the last of them is done: only then its offset is committed."""
        pause, deadline = threading.Event(), time.monotonic() + PATIENCE
        while self._recorded() < count or any(self._lag.behind(RECOMMENDER_GROUP, TOPICS).values()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not all interactions were taken in within {PATIENCE:.0f} s")
            pause.wait(0.05)

    def _used(self) -> float:
        """Seconds of processor time of the worker."""
        found = psutil.Process(self._process.pid).cpu_times()
        return float(found.user + found.system)

    def _recorded(self) -> int:
        with self._parts.store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM interactions")
            return int((cursor.fetchone() or (0,))[0])


def measured(count: int, clicks: int) -> dict[str, dict[str, float]]:
    with stack({"postgres", "kafka", "redis"}) as settings:
        parts = Parts(settings)
        with parts.store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute("INSERT INTO champions VALUES (%s, 1, 1, gen_random_uuid(), now())", (MODEL,))
        command = [sys.executable, "-m", "benchmarks.recommender", "--worker"]
        with (settings.home / "worker.log").open("wb") as log:
            process = subprocess.Popen(command, env=child_environment(settings.home), cwd=CHECKOUT, stdout=log, stderr=log)
        try:
            while not Home(settings.home).ready_file("recommender").exists():
                if process.poll() is not None:
                    raise RuntimeError((settings.home / "worker.log").read_text()[-2_000:])
                time.sleep(0.1)
            bench = Bench(parts, process)
            bench.backlog(2_000, 1)  # connections made, code loaded, neighbours known
            return {"backlog": bench.backlog(count, 2), "clicks": bench.clicks(clicks)}
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.wait(40)


def _told(backlog: Mapping[str, float], clicks: Mapping[str, float]) -> str:
    return (
        f"backlog of {backlog['interactions']:.0f}: {backlog['interactions_per_second']:.0f} interactions/s by one worker, wanted 1,000"
        f" ({backlog['processor_ms_each']:.2f} ms of its processor each)\n"
        f"a click in the list after its acknowledgement: p50 {clicks['p50_ms']:.0f} ms, p99 {clicks['p99_ms']:.0f} ms, wanted 1,000\n"
    )


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=int, default=20_000)
    arguments.add_argument("--clicks", type=int, default=200)
    arguments.add_argument("--json", action="store_true")
    arguments.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.worker:
        return worker()
    figures = measured(given.events, given.clicks)
    sys.stdout.write(json.dumps(figures) + "\n" if given.json else _told(figures["backlog"], figures["clicks"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
