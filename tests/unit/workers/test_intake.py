"""The intake worker's loop: a burst of poison is one pause and one alarm."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import cast

from evergreen.adapters.kafka_consumer import BatchConsumer
from evergreen.bootstrap import Parts
from evergreen.ports.messaging import Received
from evergreen.services.dead_letters import Poison
from evergreen.services.intake import Taken
from evergreen.workers.intake import IntakeWorker
from tests.support.events import NOON

Partition = tuple[str, int]


class Intake:
    """Takes nothing but poison, on partition 1, and keeps the alarms."""

    def __init__(self) -> None:
        self.alarms: list[tuple[Partition, timedelta]] = []
        self.running_policy = self.shadow_policy = SimpleNamespace(refresh=lambda: None)
        self.take_in = self

    def run(self, messages: Sequence[Received]) -> Taken:
        return Taken(poison={(one.topic, one.partition, one.offset): Poison(one, "bad_json", "", "") for one in messages if one.partition == 1})

    def raise_alarm(self, partition: Partition, pause: timedelta) -> None:
        self.alarms.append((partition, pause))


class Consumer:
    """Gives its batches, then ends the loop."""

    assigned = False

    def __init__(self, batches: list[list[Received]], stop: threading.Event) -> None:
        self._batches = batches
        self._stop = stop
        self.committed = 0
        self.paused: list[Partition] = []

    def poll(self, _seconds: float) -> list[Received]:
        if not self._batches:
            self._stop.set()
            return []
        return self._batches.pop(0)

    def commit(self, messages: Sequence[Received]) -> None:
        self.committed += len(messages)

    def go_on(self) -> None:
        pass

    def pause(self, partition: Partition, _until: datetime) -> None:
        self.paused.append(partition)


def batch(first: int) -> list[Received]:
    return [Received("data.ingested", partition, offset, None, b"", (), NOON) for offset in range(first, first + 200) for partition in (0, 1)]


def test_a_batch_of_poison_is_one_pause_and_one_alarm_and_the_next_is_longer() -> None:
    stop, intake = threading.Event(), Intake()
    consumer = Consumer([batch(0), batch(200)], stop)

    IntakeWorker(cast(Parts, SimpleNamespace(intake=intake)), stop)._consume(cast(BatchConsumer, consumer))

    place = ("data.ingested", 1)
    assert consumer.committed == 800
    assert consumer.paused == [place, place]
    assert intake.alarms == [(place, timedelta(seconds=30)), (place, timedelta(seconds=60))]
