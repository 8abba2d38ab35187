"""Real workers on real Kafka, Postgres and Redis, what users do, and what a test asks of it all."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import OFFSET_END, KafkaError, KafkaException, TopicPartition
from redis import Redis

from evergreen.adapters.kafka import KafkaPublisher
from evergreen.adapters.kafka_admin import admin_client
from evergreen.adapters.kafka_lag import KafkaLag
from evergreen.adapters.kafka_reader import read_topics
from evergreen.adapters.redis_profiles import key
from evergreen.bootstrap import Parts
from evergreen.contracts.envelope import Event, decode, new_id
from evergreen.core.clock import wall_now
from evergreen.core.recommending import MODEL, Taste
from evergreen.environment import CHECKOUT, child_environment
from evergreen.local_stack.home import Home
from evergreen.services.quiescence import RECOMMENDER_GROUP
from evergreen.services.record_interactions import TOPICS
from evergreen.settings import Settings
from tests.support.claims import emptied
from tests.support.intake_stack import until

TOLD = ("recommendations.updated", "push.recommendations", "prediction.completed", "prediction.feedback")
"""What the workers write to."""


@dataclass
class RecommenderBench:
    parts: Parts
    publisher: KafkaPublisher
    redis: Redis
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> subprocess.Popen[bytes]:
        home = self.parts.settings.home
        ready = Home(home).ready_file("recommender")
        ready.unlink(missing_ok=True)
        (home / "logs").mkdir(exist_ok=True)
        with self._log.open("ab") as out:
            command = [sys.executable, "-m", "tests.support.recommender_process"]
            process = subprocess.Popen(command, env=child_environment(home), stdout=out, stderr=out, cwd=CHECKOUT)
        self.processes.append(process)
        until(ready.exists, 60, self.log)
        return process

    @property
    def _log(self) -> Path:
        return self.parts.settings.home / "logs" / "recommender-test.log"

    def log(self) -> str:
        """The end of it."""
        return self._log.read_text()[-3_000:]

    def end(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            process.wait(40)
        self.processes.clear()

    def ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with self.parts.store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall()

    def behind(self) -> int:
        """Messages the workers have not finished."""
        return sum(KafkaLag(self.parts.settings.kafka.bootstrap_servers).behind(RECOMMENDER_GROUP, TOPICS).values())

    def recorded(self) -> int:
        return int(self.ask("SELECT count(*) FROM interactions")[0][0])

    def taste(self, user: str) -> Taste:
        [found] = self.parts.recommender.profiles.read([user], self.parts.clock.now())
        return found

    def list_of(self, user: str) -> dict[str, Any]:
        body: Any = self.redis.hget(key("list", user), "body")
        return {} if body is None else dict(json.loads(body))

    def said(self, event_type: str, user: str) -> list[Event]:
        topic = {"recommendations_push": "push.recommendations", "recommendations_updated": "recommendations.updated"}.get(event_type)
        topic = topic or event_type.replace("_", ".")
        messages = read_topics(self.parts.settings.kafka.bootstrap_servers, [topic], from_beginning=True, until_end=True)
        events = [decode(message.value) for message in messages if message.value is not None]
        return [event for event in events if event.subject.partition(":")[0] == user]

    def traces(self, person: str) -> list[str]:
        """Where the id stands: keys and values of Redis, rows of every table."""
        found = []
        for name in self.redis.scan_iter():
            if person.encode() in name or person.encode() in (self.redis.dump(name) or b""):
                found.append(name.decode())
        tables = self.ask("SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace AND NOT relispartition")
        for (table,) in tables:
            words = (f"%{person}%", f"%{person.encode().hex()}%")
            if self.ask(f"SELECT count(*) FROM {table} t WHERE t::text LIKE ANY(%s)", list(words))[0][0]:
                found.append(table)
        return found


@contextmanager
def recommender_bench(settings: Settings) -> Iterator[RecommenderBench]:
    """A champion is there; no worker yet, and nothing of what other tests said."""
    parts = Parts(settings)
    emptied(parts.store)
    parts.redis.flushdb()
    forget_places(settings)
    _emptied_topics(settings)
    with parts.store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute("INSERT INTO champions VALUES (%s, 1, 1, gen_random_uuid(), now())", (MODEL,))
    publisher = KafkaPublisher(settings.kafka)
    bench = RecommenderBench(parts, publisher, parts.redis)
    try:
        yield bench
    finally:
        bench.end()
        publisher.close()
        parts.redis.flushdb()
        parts.redis.close()
        parts.store.close()


def forget_places(settings: Settings) -> None:
    """The workers' group begins anew: what is on the topics is delivered again."""
    admin = admin_client(settings.kafka.bootstrap_servers)

    def gone() -> bool:
        try:
            admin.delete_consumer_groups([RECOMMENDER_GROUP], request_timeout=5)[RECOMMENDER_GROUP].result()
        except KafkaException as error:
            return bool(error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND)  # else: killed members are still in it, or its coordinator is to come
        return True

    until(gone, 90, lambda: f"{RECOMMENDER_GROUP} cannot be deleted")


def _emptied_topics(settings: Settings) -> None:
    admin = admin_client(settings.kafka.bootstrap_servers)
    there = admin.list_topics(timeout=10).topics
    ends = [TopicPartition(topic, partition, OFFSET_END) for topic in (*TOPICS, *TOLD) for partition in there[topic].partitions]
    for deleted in admin.delete_records(ends).values():
        deleted.result(10)


def said(kind: str, user: str, *items: str, **changes: Any) -> Event:
    """What a user does: a kind of interaction, `recommendation_clicked`, or `rated` with its `rating`."""
    if kind == "recommendation_clicked":
        return _event(kind, user, {"user_id": user, "item_id": items[0], "recommendation_context": {}}, **changes)
    if kind == "rated":
        data = {"user_id": user, "item_id": items[0], "rating": changes.pop("rating", 4.5), "text": changes.pop("text", None)}
        return _event("business_feedback_received", user, data, **changes)
    return _event("user_interaction", user, {"user_id": user, "interaction_type": kind, "item_ids": list(items), "context": {}}, **changes)


def _event(kind: str, user: str, data: dict[str, Any], **changes: Any) -> Event:
    made: dict[str, Any] = {"id": new_id(), "source": "/app/test", "type": kind, "subject": user, "time": wall_now(), "data": data}
    return Event(**made | changes)


def published(bench: RecommenderBench, events: Sequence[Event]) -> None:
    for at in range(0, len(events), 2_000):
        bench.publisher.publish_all(events[at : at + 2_000])
