"""A consumer group's loop: commits after the work, waits for parts that are away, lets a poisoned partition rest."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException

from evergreen.adapters.kafka_consumer import BatchConsumer
from evergreen.core.errors import Unavailable
from evergreen.core.poison import Place
from evergreen.ports.messaging import Received
from evergreen.workers import stream_loop
from evergreen.workers.stream_loop import StreamLoop

NOW = datetime(2025, 7, 24, tzinfo=UTC)


def message(offset: int, partition: int = 0) -> Received:
    return Received("topic", partition, offset, None, b"", (), NOW)


@dataclass
class FakeConsumer:
    """Gives each batch once, then ends the loop."""

    batches: list[Any]
    stop: threading.Event
    told: list[str] = field(default_factory=list)
    assigned: bool = True

    def poll(self, _timeout: float) -> list[Received]:
        if not self.batches:
            self.stop.set()
            return []
        batch = self.batches.pop(0)
        if isinstance(batch, Exception):
            raise batch
        return cast(list[Received], batch)

    def commit(self, messages: Sequence[Received]) -> None:
        self.told.append(f"commit {messages[-1].offset}")

    def keep_alive(self) -> None:
        self.told.append("alive")

    def go_on(self) -> None:
        self.told.append("go on")

    def pause(self, partition: tuple[str, int], until: datetime) -> None:
        assert until > NOW
        self.told.append(f"pause {partition[1]}")

    def __enter__(self) -> FakeConsumer:
        return self

    def __exit__(self, *_: object) -> None:
        self.told.append("closed")


@dataclass
class Bench:
    stop: threading.Event = field(default_factory=threading.Event)
    consumers: list[FakeConsumer] = field(default_factory=list)
    paused: list[tuple[int, timedelta]] = field(default_factory=list)

    def run(self, *batches: list[Any], handle: Callable[[Sequence[Received]], Collection[Place]], **more: Any) -> StreamLoop:
        waiting = [list(one) for one in batches]

        def make() -> BatchConsumer:
            self.consumers.append(FakeConsumer(waiting.pop(0), self.stop))
            return cast(BatchConsumer, self.consumers[-1])

        loop = StreamLoop("test", make, handle, self.stop, on_pause=lambda _topic, partition, pause: self.paused.append((partition, pause)), **more)
        loop.run()
        return loop


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(stream_loop, "FIRST_WAIT", 0.001)
    return Bench()


def fails(times: int, error: Exception) -> Callable[[], None]:
    left = [error] * times

    def step() -> None:
        if left:
            raise left.pop()

    return step


def test_offsets_are_committed_after_the_work(bench: Bench):
    handled: list[int] = []

    def handle(messages: Sequence[Received]) -> list[Place]:
        assert not any(told.startswith("commit") for told in bench.consumers[0].told[len(handled) * 2 :])
        handled.append(len(messages))
        return []

    loop = bench.run([[message(0), message(1)], [message(2)]], handle=handle)
    assert loop.ready.is_set()
    assert handled == [2, 1]
    assert bench.consumers[0].told == ["commit 1", "go on", "commit 2", "go on", "closed"]


def test_the_batch_in_hand_is_tried_again_while_a_part_is_away(bench: Bench):
    step = fails(3, Unavailable("Postgres does not answer"))
    bench.run([[message(0)]], handle=lambda _: step() or [])
    assert bench.consumers[0].told == ["alive", "alive", "alive", "commit 0", "go on", "closed"]


def test_told_to_stop_with_a_batch_in_hand_it_commits_nothing(bench: Bench):
    def handle(_: Sequence[Received]) -> list[Place]:
        bench.stop.set()
        raise Unavailable("away")

    bench.run([[message(0)]], handle=handle)
    assert bench.consumers[0].told == ["alive", "closed"]


def test_preparation_comes_before_the_first_consumer_and_is_repeated(bench: Bench):
    step = fails(2, Unavailable("Redis does not answer"))
    bench.run([[message(0)]], handle=lambda _: [], prepare=step)
    assert bench.consumers[0].told == ["commit 0", "go on", "closed"]


def test_a_consumer_beyond_help_is_replaced(bench: Bench):
    broken = KafkaException(KafkaError(KafkaError._FATAL, "fenced"))
    bench.run([broken], [[message(5)]], handle=lambda _: [])
    assert [consumer.told for consumer in bench.consumers] == [["closed"], ["commit 5", "go on", "closed"]]


def test_an_unforeseen_error_ends_the_loop_and_commits_nothing(bench: Bench):
    def handle(_: Sequence[Received]) -> list[Place]:
        raise ValueError("a defect")

    with pytest.raises(ValueError, match="a defect"):
        bench.run([[message(0)]], handle=handle)
    assert bench.consumers[0].told == ["closed"]


def test_a_batch_of_nothing_but_poison_is_one_pause(bench: Bench):
    bench.run([[message(offset) for offset in range(1_000)]], handle=lambda messages: [(one.topic, one.partition, one.offset) for one in messages])
    assert bench.paused == [(0, timedelta(seconds=30))]
    assert bench.consumers[0].told.count("pause 0") == 1


def test_poison_after_the_pause_is_a_longer_one(bench: Bench):
    batches = [[message(offset) for offset in range(start, start + 1_000)] for start in (0, 1_000)]
    bench.run(batches, handle=lambda messages: [(one.topic, one.partition, one.offset) for one in messages])
    assert bench.paused == [(0, timedelta(seconds=30)), (0, timedelta(seconds=60))]


def test_a_partition_of_poison_rests_and_the_others_go_on(bench: Bench):
    batch = [message(offset, partition) for offset in range(60) for partition in (0, 1)]
    bench.run([batch], handle=lambda messages: [(one.topic, one.partition, one.offset) for one in messages if one.partition == 1])
    assert bench.paused == [(1, timedelta(seconds=30))]
    assert "pause 1" in bench.consumers[0].told
    assert "pause 0" not in bench.consumers[0].told
