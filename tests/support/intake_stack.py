"""Real Kafka, Postgres and a supervised intake worker, and what a test asks of them."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from evergreen.adapters.kafka import KafkaMessenger, KafkaPublisher
from evergreen.adapters.kafka_reader import read_topics
from evergreen.bootstrap import Parts
from evergreen.contracts.topics import DEAD_LETTER
from evergreen.local_stack.home import Home
from evergreen.local_stack.processes import recorded
from evergreen.local_stack.testing import stack
from evergreen.ports.messaging import Outgoing
from evergreen.services.dead_letters import DeadLetter, read_letter


@dataclass
class IntakeStack:
    parts: Parts
    publisher: KafkaPublisher
    messenger: KafkaMessenger

    def put(self, topic: str, *values: bytes | None, key: bytes = b"k", headers: Sequence[tuple[str, bytes | None]] = ()) -> None:
        """Raw bytes on a topic, all on the key's partition."""
        faults = self.messenger.send([Outgoing(0, topic, key, value, tuple(headers)) for value in values])
        assert not any(faults), faults

    def ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with self.parts.store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall()

    def decided(self, ids: Sequence[str]) -> int:
        return int(self.ask("SELECT count(DISTINCT event_id) FROM decisions WHERE event_id = ANY(%s)", list(ids))[0][0])

    def letters(self) -> list[DeadLetter]:
        servers = self.parts.settings.kafka.bootstrap_servers
        return [read_letter(message) for message in read_topics(servers, [DEAD_LETTER], from_beginning=True, until_end=True)]

    def letters_with(self, header: bytes) -> list[DeadLetter]:
        return [letter for letter in self.letters() if ("test", header) in letter.original]

    def process(self, service: str) -> psutil.Process | None:
        return recorded(Home(self.parts.settings.home).pid_file(service))

    def signal(self, service: str, number: signal.Signals) -> None:
        until(lambda: self.process(service), 30)
        process = self.process(service)
        assert process is not None
        process.send_signal(number)

    def kill_and_await(self, service: str) -> None:
        """SIGKILL; returns when the supervisor has started another one (which may not be ready yet)."""
        until(lambda: self.process(service), 30)
        before = self.process(service)
        self.signal(service, signal.SIGKILL)
        until(lambda: self.process(service) not in (None, before), 60)


def until(met: Callable[[], object], seconds: float, state: Callable[[], object] = lambda: "") -> None:
    pause, deadline = threading.Event(), time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, f"not within {seconds} s: {state()}"
        pause.wait(0.1)


@contextmanager
def intake_stack(home: Path | None = None) -> Iterator[IntakeStack]:
    # A worker is started when all three it may need listen.
    with stack({"postgres", "kafka", "redis", "intake"}, home) as settings:
        publisher = KafkaPublisher(settings.kafka)
        yield IntakeStack(Parts(settings), publisher, KafkaMessenger(settings.kafka))
        publisher.close()
