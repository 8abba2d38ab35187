"""Who is behind, and who does not work at all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from evergreen.core.clock import FixedClock
from evergreen.core.errors import Unavailable
from evergreen.services.backlogs import Backlogs
from tests.support.monitoring import NOON


class Lag:
    def __init__(self) -> None:
        self.now: dict[str, int] | None = {"data.ingested": 5, "data.processed": 2}

    def behind(self, group: str, topics: Sequence[str]) -> dict[str, int]:
        if self.now is None:
            raise Unavailable("Kafka is away")
        return {topic: self.now[topic] for topic in topics if topic in self.now}


def watched(lag: Lag, clock: FixedClock) -> Backlogs:
    return Backlogs(lag, {"intake": ("data.ingested", "data.processed"), "absent": ("other",)}, clock.now, stuck_after=timedelta(seconds=120))


def looks(backlogs: Backlogs, clock: FixedClock, count: int) -> None:
    for _ in range(count):
        backlogs.look()
        clock.advance(timedelta(seconds=10))


def test_what_waits_is_added_up_and_a_group_that_never_read_is_absent() -> None:
    clock, lag = FixedClock(NOON), Lag()
    backlogs = watched(lag, clock)
    looks(backlogs, clock, 1)
    assert backlogs.behind == {"intake": 7}
    assert backlogs.fault("absent") is None


def test_two_minutes_without_any_being_taken_is_a_fault() -> None:
    clock, lag = FixedClock(NOON), Lag()
    backlogs = watched(lag, clock)
    looks(backlogs, clock, 12)
    assert backlogs.fault("intake") == "7 messages wait for intake and none was taken for 120 s"
    lag.now = {"data.ingested": 4, "data.processed": 2}
    looks(backlogs, clock, 1)
    assert backlogs.fault("intake") is None


def test_while_kafka_is_away_nobody_is_blamed() -> None:
    clock, lag = FixedClock(NOON), Lag()
    backlogs = watched(lag, clock)
    looks(backlogs, clock, 12)
    lag.now = None
    looks(backlogs, clock, 1)
    assert backlogs.behind == {}
    assert backlogs.fault("intake") is None
