"""The indexer as a process, on real Kafka, Postgres, Redis and Delta tables: once each, through kills, restarts and poison."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

import psycopg2
import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from evergreen.adapters.kafka import KafkaPublisher
from evergreen.adapters.postgres.outbox import unpack_headers
from evergreen.bootstrap import Parts
from evergreen.contracts.envelope import Event, encode, new_id
from evergreen.contracts.events import DataProcessed, PredictionCompleted, PredictionFeedback, SystemMetrics, Window
from evergreen.core.clock import wall_now
from evergreen.core.release import released_at
from evergreen.domains.videos.simulator import simulate
from evergreen.environment import child_environment
from evergreen.local_stack.home import Home
from evergreen.ports.batches import BatchRow
from evergreen.ports.seen_index import Seen
from evergreen.services import index_stream, record_stream
from evergreen.services.quiescence import INDEXER_DATA_GROUP, INDEXER_RECORDS_GROUP
from evergreen.settings import Settings
from tests.support.claims import emptied

pytestmark = [pytest.mark.connected, pytest.mark.slow]
FIRST, LAST = date(2025, 7, 17), date(2025, 7, 23)
NOW = released_at(LAST)


@dataclass
class Bench:
    parts: Parts
    publisher: KafkaPublisher
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> subprocess.Popen[bytes]:
        home = self.parts.settings.home
        ready = Home(home).ready_file("indexer")
        ready.unlink(missing_ok=True)
        with (home / "indexer-test.log").open("ab") as out:
            process = subprocess.Popen([sys.executable, "-m", "evergreen.workers.indexer"], env=child_environment(home), stdout=out, stderr=out)
        self.processes.append(process)
        until(ready.exists, "the indexer is ready", seconds=60)
        return process

    def store_batch(self, batch_id: str, first: date, last: date) -> Event:
        """What ingest would have written, and the event it would have said."""
        rows = simulate(FIRST, LAST, seed=4).drop(columns="load_error")
        days = rows["list_date"].dt.date
        chosen = rows[(days >= first) & (days <= last)]
        self.parts.lake.merge_silver("videos.KR", chosen)
        row = BatchRow("videos.KR", batch_id, f"sha-{batch_id}", first, last, len(chosen), 0, [], "", "accepted", False, NOW)
        with self.parts.store.transaction() as tx:
            tx.batches.record(row)
        window = Window(first_day=first, last_day=last)
        payload = DataProcessed(batch_id=batch_id, dataset="videos.KR", rows=len(chosen), quarantined=0, window=window)
        return event("data_processed", payload.model_dump(mode="json"), subject="videos.KR", source="/airflow/ingest")

    def count(self, query: str, *values: object) -> int:
        with self.parts.store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute(query, values)
            row = cursor.fetchone()
        return 0 if row is None else int(row[0])

    def indexed(self, batch_id: str) -> bool:
        return self.count("SELECT count(*) FROM indexed_batches WHERE batch_id = %s", batch_id) == 1

    def letters(self) -> list[str]:
        with self.parts.store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute("SELECT headers FROM outbox WHERE topic = 'dead.letter' ORDER BY seq")
            return [str(dict(_pairs(headers)).get("reason")) for (headers,) in cursor.fetchall()]


def _pairs(headers: Any) -> list[tuple[str, str]]:
    return [(name, (value or b"").decode()) for name, value in unpack_headers(headers)]


def event(kind: str, data: dict[str, Any], *, subject: str, source: str = "/app/test", at: datetime = NOW, event_id: str | None = None) -> Event:
    return Event(id=event_id or new_id(), source=source, type=kind, subject=subject, time=at, data=data)


def prediction(entity: str, version: int = 1, **changes: Any) -> Event:
    payload = PredictionCompleted(
        prediction_id=f"p-{entity}",
        model_name="video_performance",
        model_version=f"video_performance@{version}",
        entity=entity,
        features={"title": "제목"},
        predicted=5.5,
        latency_seconds=0.01,
        cached=False,
    )
    return event("prediction_completed", payload.model_dump(mode="json"), subject=entity, source="/serving/video_performance", **changes)


def feedback(entity: str, views: object, **changes: Any) -> Event:
    payload = PredictionFeedback(model_name="video_performance", entity=entity, outcome={"view_count": views})
    return event("prediction_feedback", payload.model_dump(mode="json"), subject=entity, source="/serving/video_performance", **changes)


def until(condition: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    pause, deadline = threading.Event(), time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        pause.wait(0.05)


def test_a_processed_batch_is_found_everywhere(bench: Bench):
    process = bench.start()
    bench.publisher.publish(bench.store_batch("b1", FIRST, LAST))
    until(lambda: bench.indexed("b1"), "the batch is indexed")
    silver = bench.parts.lake.silver("videos.KR")
    videos = set(silver["video_id"])
    assert bench.count("SELECT count(*) FROM videos") == len(videos)
    assert bench.count("SELECT count(*) FROM videos WHERE first_seen > last_seen OR last_seen > %s", LAST) == 0
    newest = silver.sort_values("list_date").drop_duplicates("video_id", keep="last").iloc[0]
    with bench.parts.store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute("SELECT title, view_count, region, last_seen FROM videos WHERE video_id = %s", (newest["video_id"],))
        assert cursor.fetchone() == (newest["title"], newest["view_count"], "KR", newest["list_date"].date())
        cursor.execute("SELECT features, as_of FROM online_features WHERE entity = %s", (newest["video_id"],))
        found = cursor.fetchone()
        assert found is not None
        assert found[0]["view_count"] == newest["view_count"]
        assert {"category_id", "hour", "age_hours", "title_length", "channel_videos"} <= set(found[0])
        assert found[1] == released_at(newest["list_date"].date())
        cursor.execute("SELECT features FROM online_features WHERE entity = %s", (f"channel:{newest['channel_id']}",))
        channel = cursor.fetchone()
        assert channel is not None
        assert channel[0]["channel_videos"] >= 1
    assert set(bench.parts.seen_index.maybe_seen(sorted(videos), LAST)) == {Seen.MAYBE}
    assert bench.parts.seen_index.maybe_seen(["never-listed"], LAST) == [Seen.NO]
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0


def test_the_stored_features_are_those_training_saw(bench: Bench):
    bench.start()
    bench.publisher.publish(bench.store_batch("b1", FIRST, LAST))
    until(lambda: bench.indexed("b1"), "the batch is indexed")
    spec = bench.parts.spec("video_performance")
    table = spec.build_features(bench.parts.lake.silver("videos.KR"))
    trained: dict[str, dict[Any, Any]] = {row["video_id"]: row for row in table.to_dict("records")}
    with bench.parts.store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute("SELECT entity, features FROM online_features WHERE entity NOT LIKE 'channel:%%'")
        stored = dict(cursor.fetchall())
    assert set(stored) == set(trained)
    for entity, features in stored.items():
        for name in spec.feature_names:
            value = trained[entity][name]
            assert features.get(name) == pytest.approx(value) if value == value else name not in features


def test_repeats_and_late_batches_change_nothing_that_is_newer(bench: Bench):
    bench.start()
    newer = bench.store_batch("newer", date(2025, 7, 20), LAST)
    bench.publisher.publish(newer)
    until(lambda: bench.indexed("newer"), "the newer batch is indexed")
    before = bench.count("SELECT sum(view_count) FROM videos WHERE last_seen >= '2025-07-20'")
    bench.publisher.publish(bench.store_batch("older", FIRST, date(2025, 7, 19)))
    bench.publisher.publish(newer)
    until(lambda: bench.indexed("older"), "the older batch is indexed")
    assert bench.count("SELECT sum(view_count) FROM videos WHERE last_seen >= '2025-07-20'") == before
    assert bench.count("SELECT count(*) FROM videos WHERE first_seen = %s", FIRST) > 0


def test_records_are_written_once_each(bench: Bench):
    bench.start()
    events = [prediction(f"v{number}") for number in range(300)] + [feedback(f"v{number}", 10**5) for number in range(300)]
    metrics = event("system_metrics", SystemMetrics(service_name="serving", metrics={"cpu": 0.5}).model_dump(mode="json"), subject="serving")
    bench.publisher.publish_all([*events, metrics])
    bench.publisher.publish_all(events[250:350])
    retold = feedback("v299", 10**5, at=NOW + timedelta(minutes=7), event_id=events[-1].id)  # a repeat that carries its own time
    bench.publisher.publish(retold)
    bench.publisher.publish(feedback("last", 1))
    until(lambda: bench.count("SELECT count(*) FROM feedback WHERE entity = 'last'") == 1, "the last feedback is there")
    until(lambda: bench.count("SELECT count(*) FROM predictions") == 300, "all predictions are there")
    until(lambda: bench.count("SELECT count(*) FROM metrics") == 1, "the metrics are there")
    until(lambda: bench.count("SELECT count(*) FROM feedback") == 301, "each feedback is there once")
    assert bench.count("SELECT count(*) FROM feedback WHERE label = 5.0") == 300
    assert bench.count("SELECT count(*) FROM predictions WHERE version = 1 AND features->>'title' = '제목'") == 300


def test_poison_goes_to_the_dead_letters_with_its_reason_and_the_rest_goes_on(bench: Bench):
    bench.start()
    bad: dict[str, list[bytes]] = {
        "prediction.feedback": [
            b"\xff\xfe",
            b"{",
            b'{"flat": 1}',
            encode(feedback("v1", "many")),
            encode(feedback("v1", 5, at=NOW + timedelta(days=3))),
            encode(feedback("v1", 5, at=NOW - timedelta(days=900))),
            encode(prediction("v1")),
        ],
        "prediction.completed": [encode(prediction("v1", version=10**12))],
        "system.metrics": [b"intake's to refuse"],
    }
    producer = Producer({"bootstrap.servers": bench.parts.settings.kafka.bootstrap_servers})
    for topic, values in bad.items():
        for value in values:
            producer.produce(topic, value, partition=0)
    producer.flush(10)
    bench.publisher.publish_all([prediction("good"), feedback("good", 7)])
    until(lambda: bench.count("SELECT count(*) FROM predictions WHERE entity = 'good'") == 1, "the good prediction is there")
    until(lambda: bench.count("SELECT count(*) FROM feedback WHERE entity = 'good'") == 1, "the good feedback is there")
    expected = ["bad_json", "bad_utf8", "future_time", "handler_failed", "not_cloudevents", "past_time", "schema_violation", "wrong_topic"]
    until(lambda: sorted(bench.letters()) == expected, "every poison message is a dead letter, once")


def test_a_killed_indexer_loses_nothing_and_does_nothing_twice(bench: Bench):
    process = bench.start()
    for number in range(6):
        bench.publisher.publish_all([prediction(f"k{number}-{entity}") for entity in range(100)])
        if number == 2:
            bench.publisher.publish(bench.store_batch("b1", FIRST, LAST))
        if number in (1, 3):
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=10)
            process = bench.start()
    until(lambda: bench.count("SELECT count(*) FROM predictions") == 600, "every prediction is there once")
    until(lambda: bench.indexed("b1"), "the batch is indexed")
    assert bench.letters() == []


def test_postgres_and_redis_may_go_away(bench: Bench):
    bench.start()
    bench.publisher.publish(prediction("before"))
    until(lambda: bench.count("SELECT count(*) FROM predictions") == 1, "the first prediction is there")
    bench.parts.redis.execute_command("FLUSHALL")
    _cut_connections(bench.parts.settings)
    bench.publisher.publish(prediction("after"))
    bench.publisher.publish(bench.store_batch("b1", FIRST, LAST))
    until(lambda: bench.indexed("b1"), "the batch is indexed")
    until(lambda: bench.count("SELECT count(*) FROM predictions") == 2, "the second prediction is there")
    videos = sorted(set(bench.parts.lake.silver("videos.KR")["video_id"]))
    assert set(bench.parts.seen_index.maybe_seen(videos, LAST)) == {Seen.MAYBE}
    assert bench.parts.seen_index.maybe_seen(["never-listed"], LAST) == [Seen.NO]


def _cut_connections(settings: Settings) -> None:
    with psycopg2.connect(settings.postgres.admin_dsn.get_secret_value()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app_rw'")


@pytest.fixture
def bench(stack_settings: Settings) -> Iterator[Bench]:
    parts = Parts(stack_settings)
    emptied(parts.store)
    parts.redis.flushall()
    _remove_lake(stack_settings)
    _skip_to_the_end(stack_settings)
    with parts.store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute("UPDATE platform_clock SET mode = 'replay', base = %s, set_at = %s, rate = 0", (NOW, wall_now()))
    publisher = KafkaPublisher(stack_settings.kafka)
    made = Bench(Parts(stack_settings), publisher)
    yield made
    for process in made.processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)
    publisher.close()
    made.parts.store.close()


def _remove_lake(settings: Settings) -> None:
    shutil.rmtree(settings.data_dir, ignore_errors=True)


def _skip_to_the_end(settings: Settings) -> None:
    """What an earlier test left on the topics is not this one's."""
    for group, topics in ((INDEXER_DATA_GROUP, index_stream.TOPICS), (INDEXER_RECORDS_GROUP, record_stream.TOPICS)):
        consumer = Consumer({"bootstrap.servers": settings.kafka.bootstrap_servers, "group.id": group})
        until(partial(_skipped, consumer, topics), "every partition has a leader")
        consumer.close()


def _skipped(consumer: Consumer, topics: Sequence[str]) -> bool:
    try:
        places = [TopicPartition(topic, number) for topic in topics for number in consumer.list_topics(topic, timeout=10).topics[topic].partitions]
        ends = [TopicPartition(place.topic, place.partition, consumer.get_watermark_offsets(place, timeout=10)[1]) for place in places]
        consumer.commit(offsets=ends, asynchronous=False)
    except KafkaException:  # topics a moment old
        return False
    return True
