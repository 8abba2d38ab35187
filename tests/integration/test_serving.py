"""Serving as real processes on one socket, with real Postgres, Kafka and Redis, promoted to by the real protocol."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from confluent_kafka import Consumer
from redis import Redis

from evergreen.adapters.memory.registry import MemoryRegistry
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.adapters.serving_client import ServingClient
from evergreen.bootstrap import Parts
from evergreen.contracts.actions import ActionKind
from evergreen.contracts.api import VideoPrediction
from evergreen.contracts.envelope import Event, decode
from evergreen.core.clock import WallClock
from evergreen.core.errors import ArtifactRefused
from evergreen.domains.videos.spec import video_spec
from evergreen.ports.model import Predictor
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
FEATURES = {"title": "여름 브이로그 #1", "category_id": 22, "published_at": "2025-05-24T09:00:00Z", "list_date": "2025-05-25", "channel_videos": 2}


@dataclass
class Loop:
    """The other side: versions, promotions, topics."""

    settings: Settings
    store: PostgresStore
    predictors: dict[int, Predictor]
    workers: Workers | None = None
    model: str = MODEL
    clock: WallClock = field(default_factory=WallClock)

    def promote(self, version: int, seconds: float = 60.0) -> dict[str, Any]:
        carry_out = CarryOut(self.store, self.clock)
        projection = ChampionProjection(self.store, MemoryRegistry(Path(self.settings.home)), [self.model])
        deploy = Deploy(self.store, self.clock, carry_out, projection, min_confirmations=1, confirm_seconds=seconds)
        claim = claimed(self.store, self.clock, ActionKind.PROMOTE, {"forced": True, "reason": "test"}, model=self.model, target=f"{self.model}@{version}")
        return dict(Promote(deploy).run(claim))

    def known(self, version: int) -> None:
        with self.store.transaction() as tx:
            tx.versions.insert(trained_version(self.model, version))

    def expected(self, version: int, features: dict[str, Any]) -> float:
        [answer] = self.predictors[version].answer([features])
        return float(answer["prediction"])

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())

    def events(self, topic: str, wanted: set[str], seconds: float = 30.0) -> list[Event]:
        """Events of these subjects; waits until there is one of each."""
        consumer = Consumer({"bootstrap.servers": self.settings.kafka.bootstrap_servers, "group.id": str(uuid4()), "auto.offset.reset": "earliest"})
        consumer.subscribe([topic])
        found: list[Event] = []
        deadline = time.monotonic() + seconds
        while {event.subject for event in found} != wanted and time.monotonic() < deadline:
            message = consumer.poll(0.5)
            # By key first: other tests' poison lies on the same topics.
            if message is not None and message.error() is None and (message.key() or b"").decode(errors="replace") in wanted:
                found.append(decode(message.value()))
        consumer.close()
        return found


@pytest.fixture(scope="module")
def loop(stack_settings: Settings) -> Iterator[Loop]:
    table = simulated_table()
    store = emptied(PostgresStore(stack_settings.postgres.dsn.get_secret_value()))
    found = Loop(stack_settings, store, {})
    first, second = SPEC.fit(table, 0), SPEC.fit(table.tail(len(table) // 2), 0)
    for version, fitted, trained in ((1, first, first), (2, second, second), (3, first, second)):
        found.predictors[version] = SPEC.predictor(fitted.estimators, fitted.card)
        place_version(stack_settings, SPEC, fitted, table, version, golden_of=trained)  # 3 does not say what its training said
        found.known(version)
    yield found
    store.close()


@pytest.fixture(scope="module")
def served(loop: Loop) -> Iterator[Loop]:
    """Two workers, version 1 answers."""
    with workers(loop.settings) as started:
        loop.workers = started
        until(lambda: len(live(loop)) == 2, 90)
        loop.promote(1, 120)
        yield loop


def live(loop: Loop) -> list[str]:
    query = "SELECT worker_id FROM serving_workers WHERE state <> 'draining' AND heartbeat_at > clock_timestamp() - interval '5 seconds'"
    return [row[0] for row in loop.rows(query)]


def there(loop: Loop) -> Workers:
    assert loop.workers is not None
    return loop.workers


def token(loop: Loop) -> Callable[[], str]:
    return Parts(loop.settings).access.own_token("test")


def predict(asked: Workers | httpx.Client, video_id: str, features: dict[str, Any] | None = None) -> dict[str, Any]:
    body = {"video_id": video_id, "features": FEATURES if features is None else features}
    with nullcontext(asked) if isinstance(asked, httpx.Client) else asked.client() as client:
        answer = client.post("/predict/video", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_both_workers_answer_on_one_socket_and_metrics_add_up(served: Loop) -> None:
    url = there(served).url
    assert there(served).answers() == {"serving-00", "serving-01"}
    before = _total(url, "predictions_total")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda at: predict(there(served), f"sum-{at}"), range(40)))
    assert {VideoPrediction.model_validate(answer).model_version for answer in answers} == {f"{MODEL}@1"}
    assert [answer["prediction"] for answer in answers] == pytest.approx([served.expected(1, FEATURES)] * len(answers), abs=1e-9)
    until(lambda: _total(url, "predictions_total") == before + 40, 5)  # the other worker's counts are a tenth of a second old
    models = httpx.get(f"{url}/models", timeout=20, headers=there(served).headers).json()["models"]
    [state] = [one for one in models if one["model"] == MODEL]
    assert (state["version"], len(state["workers"])) == (f"{MODEL}@1", 2)


def _total(url: str, name: str) -> float:
    lines = httpx.get(f"{url}/metrics", timeout=20).text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{name}{{"))


def test_an_operators_clearing_reaches_every_worker_within_a_second(served: Loop) -> None:
    with ExitStack() as open_ones:
        clients = {_worker(client): client for client in [open_ones.enter_context(there(served).client()) for _ in range(12)]}
        assert set(clients) == {"serving-00", "serving-01"}
        for _ in range(2):
            kept = [predict(client, f"cleared-{worker}")["cached"] for worker, client in clients.items()]
        assert kept == [True, True]
        answer = clients["serving-00"].delete("/cache", params={"model": MODEL})
        assert answer.status_code == 200, answer.text
        for worker, client in clients.items():
            until(lambda client=client, worker=worker: not predict(client, f"cleared-{worker}")["cached"], 1)  # type: ignore[misc]


def test_every_answer_during_swaps_comes_from_one_version_and_none_is_lost(served: Loop) -> None:
    """Six promotions to and fro under load. The figures are printed, not asserted: other tests share the machine."""
    stop = threading.Event()
    answers: list[tuple[float, dict[str, Any]]] = []

    def ask(number: int) -> None:
        with there(served).client() as client:
            for at in range(1_000_000):
                if stop.is_set():
                    return
                begun = time.perf_counter()
                found = predict(client, f"swap-{number}-{at}")
                answers.append((time.perf_counter() - begun, found))

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask, number) for number in range(4)]
        begun = time.monotonic()
        for version in (2, 1, 2, 1, 2, 1):
            confirmed = served.promote(version)["confirmed_by"]
            assert len(confirmed) == 2
        seconds = time.monotonic() - begun
        stop.set()
        for one in asking:
            one.result()
    expected = {version: served.expected(version, FEATURES) for version in (1, 2)}
    assert abs(expected[1] - expected[2]) > 1e-6
    for _, answer in answers:
        version = int(answer["model_version"].split("@")[1])
        assert answer["prediction"] == pytest.approx(expected[version], abs=1e-9)
        assert answer["epoch"] % 2 == version % 2  # one epoch, one version
    times = sorted(taken for taken, _ in answers)
    print(f"\n6 swaps in {seconds:.1f} s, {len(times) / seconds:.0f} answers/s, p50 {times[len(times) // 2] * 1e3:.1f} ms, "  # noqa: T201 - the figure
          f"p99 {times[int(len(times) * 0.99)] * 1e3:.1f} ms, 0 of {len(times)} failed")  # fmt: skip
    assert {answer["model_version"] for _, answer in answers} == {f"{MODEL}@1", f"{MODEL}@2"}


def test_a_version_that_differs_from_its_training_is_refused_by_the_workers_and_nothing_changes(served: Loop) -> None:
    epoch = predict(there(served), "before")["epoch"]
    with pytest.raises(ArtifactRefused, match=r"serving-0[01]:.*golden rows"):
        served.promote(3)
    assert predict(there(served), "after")["epoch"] == epoch


def test_while_a_version_bakes_the_one_before_is_scored_in_the_log(served: Loop) -> None:
    served.promote(2)
    predict(there(served), "baked")
    [completed] = served.events("prediction.completed", {"baked"})
    assert completed.data["shadow_version"] == f"{MODEL}@1"
    assert completed.data["predicted"] == pytest.approx(served.expected(2, FEATURES), abs=1e-9)
    assert completed.data["shadow_predicted"] == pytest.approx(served.expected(1, FEATURES), abs=1e-9)
    [request] = served.events("prediction.request", {"baked"})
    assert request.data["features"] == FEATURES
    served.promote(1)


def test_a_worker_that_slept_through_a_promotion_answers_with_the_new_champion(served: Loop) -> None:
    found = there(served)
    with ExitStack() as open_ones:
        connections = [open_ones.enter_context(found.client()) for _ in range(12)]
        clients = {_worker(client): client for client in connections}
        assert set(clients) == {"serving-00", "serving-01"}
        found.signal("serving-01", signal.SIGSTOP)
        confirmed = served.promote(2)["confirmed_by"]
        found.signal("serving-01", signal.SIGCONT)
        answer = predict(clients["serving-01"], "slept")
    assert [name.split(":")[0] for name in confirmed] == ["serving-00"]
    assert (answer["model_version"], answer["prediction"]) == (f"{MODEL}@2", pytest.approx(served.expected(2, FEATURES), abs=1e-9))
    until(lambda: len(live(served)) == 2)
    assert len(served.promote(1)["confirmed_by"]) == 2


def _worker(client: httpx.Client) -> str:
    """The connection stays with the worker that took it."""
    return str(client.get("/readyz").json()["worker"].split(":")[0])


def test_redis_paused_degrades_answers_and_nothing_else(served: Loop) -> None:
    with there(served).client() as client:
        predict(client, "warm")
        with Redis.from_url(served.settings.redis.url.get_secret_value()) as redis:
            redis.client_pause(8_000, all=True)
        begun = time.monotonic()
        answers = [predict(client, f"paused-{at}") for at in range(15)]
        assert time.monotonic() - begun < 8  # without the breaker and its 50 ms each would have waited for the end of the pause
        assert all(answer["degraded"] for answer in answers)
        # No index was built here, which a worker knows for half a second without Redis: until the breaker opens it may say so, "probably".
        assert "not seen in the last 7 days" not in {answer["bloom_filter_status"] for answer in answers}
        assert {answer["bloom_filter_status"] for answer in answers[5:]} == {"unknown"}
        assert [answer["prediction"] for answer in answers] == pytest.approx([served.expected(1, FEATURES)] * 15, abs=1e-9)
        until(lambda: not predict(client, f"back-{uuid4()}")["degraded"], 60)


def test_feedback_is_on_its_topic_when_it_is_accepted(served: Loop) -> None:
    video = f"told-{uuid4().hex[:8]}"
    with ServingClient(there(served).url, token(served)) as app:
        [asked] = app.ask([{"video_id": video, "features": FEATURES}])
        app.tell([{"video_id": video, "outcome": {"view_count": 1234}, "prediction_id": asked.prediction_id if asked else None}])
        app.tell([{"video_id": video, "outcome": {"view_count": 1234}, "prediction_id": asked.prediction_id if asked else None}])
    events = served.events("prediction.feedback", {video}, 20)
    assert events[0].data == {"model_name": MODEL, "entity": video, "prediction_id": asked.prediction_id if asked else None, "outcome": {"view_count": 1234}}


def test_a_killed_worker_costs_its_open_requests_and_no_other(served: Loop) -> None:
    found = there(served)
    with ServingClient(found.url, token(served)) as app, ThreadPoolExecutor(1) as pool:
        asking = pool.submit(app.ask, [{"video_id": f"kill-{at}", "features": FEATURES} for at in range(400)])
        time.sleep(0.2)
        found.signal("serving-00", signal.SIGKILL)
        answers = asking.result(60)
    assert [answer.entity for answer in answers if answer] == [f"kill-{at}" for at in range(400)]
    found.processes["serving-00"].wait(10)
    begun = time.monotonic()
    found.start("serving-00")
    until(lambda: "serving-00" in found.answers(), 90)
    print(f"\na killed worker answers again {time.monotonic() - begun:.1f} s after its start")  # noqa: T201 - the figure
    until(lambda: len(live(served)) == 2)
    assert len(served.promote(2)["confirmed_by"]) == 2
    served.promote(1)


def test_a_worker_that_is_told_to_end_drops_nothing(served: Loop) -> None:
    found, stop = there(served), threading.Event()

    def ask(number: int) -> int:
        with found.client() as client:
            for at in range(1_000_000):
                if stop.is_set():
                    return at
                predict(client, f"drain-{number}-{at}")
        return 0

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask, number) for number in range(4)]
        time.sleep(0.5)
        found.signal("serving-01", signal.SIGTERM)
        assert found.processes["serving-01"].wait(20) == 0
        time.sleep(0.3)
        stop.set()
        assert all(one.result() > 0 for one in asking)
    states = served.rows("SELECT state FROM serving_workers WHERE worker_id LIKE 'serving-01:%' ORDER BY heartbeat_at DESC LIMIT 1")
    assert states == [("draining",)]


def test_without_postgres_kafka_and_redis_a_worker_starts_and_answers_from_its_disk(loop: Loop) -> None:
    """After the tests before: the champion of then is remembered on disk."""
    away = {
        "EVERGREEN_POSTGRES__DSN": "postgresql://app_rw@127.0.0.1:1/evergreen",
        "EVERGREEN_REDIS__URL": "redis://127.0.0.1:1/0",
        "EVERGREEN_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "EVERGREEN_KAFKA__DELIVERY_TIMEOUT_SECONDS": "1",
        "EVERGREEN_MLFLOW__TRACKING_URI": "http://127.0.0.1:1",
    }
    remembered = json.loads((loop.settings.home / "data" / "models" / "champions.json").read_text())[MODEL]["version"]
    with workers(loop.settings, ("serving-07",), away) as alone:
        until(lambda: alone.answers() == {"serving-07"}, 90)
        answer = predict(alone, "alone")
        assert (answer["model_version"], answer["degraded"]) == (f"{MODEL}@{remembered}", True)
        with alone.client() as client:
            told = client.post("/feedback", json={"video_id": "alone", "outcome": {"view_count": 1}})
            listed = client.get("/decisions")
            unknown = client.post("/predict/video", json={"video_id": "nobody"})
        assert [found.status_code for found in (told, listed, unknown)] == [503, 503, 503]
        assert all(found.headers["retry-after"] for found in (told, listed, unknown))
        assert os.path.exists(loop.settings.home / "logs" / "serving-07.log")
        assert "Traceback" not in alone.log_of("serving-07")
