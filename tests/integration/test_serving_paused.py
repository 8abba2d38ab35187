"""Redis and Postgres stopped dead (SIGSTOP: connections stay, nothing answers) under a real worker: answers go on, in bounded time, and say so."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil
import pytest

from evergreen.adapters.memory.registry import MemoryRegistry
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.contracts.actions import ActionKind
from evergreen.core.clock import WallClock
from evergreen.core.generations import FEATURES
from evergreen.domains.videos.spec import video_spec
from evergreen.local_stack.home import Home
from evergreen.local_stack.processes import of_service
from evergreen.ports.index import FeatureRow
from evergreen.services.carry_out import CarryOut
from evergreen.services.champion_projection import ChampionProjection
from evergreen.services.deploy import Deploy
from evergreen.services.promote import Promote
from evergreen.settings import Settings
from tests.support.claims import claimed, emptied
from tests.support.worker_processes import Workers, place_version, simulated_table, trained_version, until, workers

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.timeout(300)]
SPEC = video_spec("KR")
MODEL = SPEC.name
FEATURES_GIVEN = {"title": "여름 브이로그 #1", "category_id": 22, "published_at": "2025-05-24T09:00:00Z", "list_date": "2025-05-25", "channel_videos": 2}
LONGEST = 2.5
"""Seconds an answer may take on a shared machine while a part is silent: it waits one for Postgres, 50 ms a call for Redis."""


@dataclass
class Served:
    settings: Settings
    store: PostgresStore
    workers: Workers

    def ask(self, video_id: str, features: dict[str, Any] | None = None) -> httpx.Response:
        body = {"video_id": video_id} | ({"features": features} if features is not None else {})
        begun = time.monotonic()
        answer = httpx.post(f"{self.workers.url}/predict/video", json=body, timeout=20, headers=self.workers.headers)
        assert time.monotonic() - begun < LONGEST
        return answer

    def answer(self, video_id: str, features: dict[str, Any] | None = None) -> dict[str, Any]:
        found = self.ask(video_id, features)
        assert found.status_code == 200, found.text
        said: dict[str, Any] = found.json()
        return said

    def index(self, entity: str, **values: Any) -> None:
        with self.store.transaction() as tx:
            tx.online_features.upsert([FeatureRow(MODEL, entity, values, datetime.now(UTC))])  # noqa: TID251 - only its age matters
            tx.generations.bump(FEATURES, "indexer")

    def breakers(self) -> dict[str, float]:
        lines = [line for line in httpx.get(f"{self.workers.url}/metrics", timeout=20).text.splitlines() if line.startswith("breaker_open{")]
        return {line.split('part="')[1].split('"')[0]: float(line.rsplit(" ", 1)[1]) for line in lines}

    @contextmanager
    def paused(self, service: str) -> Iterator[None]:
        found = [process for one in of_service(Home(self.settings.home), service) for process in [one, *one.children(recursive=True)]]
        assert found
        for process in found:
            process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for process in found:
                if psutil.pid_exists(process.pid):
                    process.send_signal(signal.SIGCONT)


@pytest.fixture(scope="module")
def served(stack_settings: Settings) -> Iterator[Served]:
    table = simulated_table()
    store, fitted = emptied(PostgresStore(stack_settings.postgres.dsn.get_secret_value())), SPEC.fit(table, 0)
    place_version(stack_settings, SPEC, fitted, table, 1, golden_of=fitted)
    with store.transaction() as tx:
        tx.versions.insert(trained_version(MODEL, 1))
    with workers(stack_settings, ("serving-00",)) as started:
        until(lambda: bool(started.answers()), 90)
        clock = WallClock()
        carry_out = CarryOut(store, clock)
        projection = ChampionProjection(store, MemoryRegistry(Path(stack_settings.home)), [MODEL])
        deploy = Deploy(store, clock, carry_out, projection, min_confirmations=1, confirm_seconds=120)
        Promote(deploy).run(claimed(store, clock, ActionKind.PROMOTE, {"forced": True, "reason": "test"}, model=MODEL, target=f"{MODEL}@1"))
        yield Served(stack_settings, store, started)
    store.close()


def test_redis_stopped_dead(served: Served) -> None:
    warm = f"warm-{uuid4().hex}"
    before = served.answer(warm, FEATURES_GIVEN)
    with served.paused("redis"):
        begun = time.monotonic()
        cached = [served.answer(warm, FEATURES_GIVEN) for _ in range(20)]
        # What other tests left in the seen index is known here for as long as the copy of it was proved, a second at most.
        until(lambda: served.answer(f"new-{uuid4().hex}", FEATURES_GIVEN)["bloom_filter_status"] == "unknown", 3)
        new = [served.answer(f"new-{uuid4().hex}", FEATURES_GIVEN) for _ in range(20)]
        assert time.monotonic() - begun < 8
        assert {answer["prediction"] for answer in (*cached, *new)} == {before["prediction"]}
        assert all(answer["cached"] for answer in cached)
        assert all(answer["degraded"] and answer["bloom_filter_status"] == "unknown" for answer in new)
        assert set(new[-1]["degraded_reasons"]) == {"cache_unavailable", "seen_index_unavailable"}
        assert (cached[-1]["bloom_filter_status"], cached[-1]["degraded"]) == ("unknown", True)
        assert served.breakers()["redis"] == 1
    until(lambda: not served.answer(f"back-{uuid4().hex}", FEATURES_GIVEN)["degraded"], 30)
    assert served.breakers()["redis"] == 0


def test_postgres_stopped_dead(served: Served) -> None:
    served.index("kept", view_count=77, category_id=22)
    until(lambda: served.ask("kept").status_code == 200)
    before = served.answer("kept")
    with served.paused("postgres"):
        again = served.answer("kept")
        assert (again["prediction"], again["cached"], again["degraded"]) == (before["prediction"], True, False)
        assert served.answer("given", FEATURES_GIVEN)["degraded"] is False
        codes = [served.ask(f"unknown-{number}").status_code for number in range(6)]
        assert set(codes) == {503}
        begun = time.monotonic()
        refused = served.ask("unknown-again")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert time.monotonic() - begun < 1.5
        assert served.breakers()["postgres"] == 1
    until(lambda: served.ask("unknown-0").status_code == 404, 60)


def test_an_indexed_video_is_found_at_once_after_it_was_unknown(served: Served) -> None:
    video = f"new-{uuid4().hex[:8]}"
    assert served.ask(video).status_code == 404
    assert served.ask(video).status_code == 404
    served.index(video, view_count=5, category_id=22)
    begun = time.monotonic()
    until(lambda: served.ask(video).status_code == 200, 10)
    assert time.monotonic() - begun < 5


def test_an_operator_clears_the_cache_of_every_layer(served: Served) -> None:
    video = f"cleared-{uuid4().hex}"
    served.answer(video, FEATURES_GIVEN)
    assert served.answer(video, FEATURES_GIVEN)["cached"] is True
    assert httpx.delete(f"{served.workers.url}/cache", params={"model": MODEL}, timeout=20, headers=served.workers.headers).status_code == 200
    assert served.answer(video, FEATURES_GIVEN)["cached"] is False


def test_both_stopped_dead_leave_given_features_and_what_is_kept(served: Served) -> None:
    served.index("both", view_count=77, category_id=22)
    until(lambda: served.ask("both").status_code == 200)
    with served.paused("redis"), served.paused("postgres"):
        assert served.answer("both")["cached"] is True
        assert served.answer(f"new-{uuid4().hex}", FEATURES_GIVEN)["degraded"] is True
        assert served.ask("nobody-knows").status_code == 503
    until(lambda: not served.answer(f"back-{uuid4().hex}", FEATURES_GIVEN)["degraded"], 60)
