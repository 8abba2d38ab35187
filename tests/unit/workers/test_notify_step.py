"""A round of the notifier: channels do not wait for each other, trouble is passed on, and it sleeps no longer than it may."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from evergreen.core.clock import wall_now
from evergreen.core.errors import Unavailable
from evergreen.ports.notifier import NotDelivered
from evergreen.workers.notify_step import NotifyStep
from tests.support.alerts import NotifyBench, alert


@dataclass
class Bell:
    """Takes down how long it was told to wait."""

    waits: list[float] = field(default_factory=list)

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)


def step(bench: NotifyBench, bell: Bell | None = None, stop: threading.Event | None = None) -> NotifyStep:
    parts: Any = SimpleNamespace(notifier=SimpleNamespace(notify=bench.notify, deliver=bench.deliver))
    return NotifyStep(parts, stop or threading.Event(), bell or Bell())


def test_a_channel_that_hangs_holds_up_neither_the_others_nor_the_rounds() -> None:
    bench = NotifyBench(channels={"slow": "low", "quick": "low"})
    released = threading.Event()

    def hang(_number: int) -> Exception | None:
        released.wait(30)
        return NotDelivered("it took too long")

    bench.received["slow"].fails = hang
    one = step(bench)
    for number in range(3):
        bench.record(alert(model=f"model {number}"))
        one()
        one._senders["quick"].join(5)
    assert [told.model for told in bench.received["quick"].received] == ["model 0", "model 1", "model 2"]
    assert bench.received["slow"].tried == 1

    released.set()
    one.join(5)
    assert bench.received["slow"].tried == 3


def test_it_waits_for_the_bell_or_a_second_or_until_a_group_is_complete() -> None:
    bench, bell = NotifyBench(), Bell()
    one = step(bench, bell)
    one()
    bench.wall.at = wall_now() - timedelta(seconds=0.1)
    bench.record(alert())
    one()

    assert bell.waits[0] == 1.0
    assert 0.4 < bell.waits[1] < 0.7


def test_without_a_bell_it_waits_for_the_stop() -> None:
    stop = threading.Event()
    stop.set()
    bench = NotifyBench()
    parts: Any = SimpleNamespace(notifier=SimpleNamespace(notify=bench.notify, deliver=bench.deliver))
    bench.record(alert())
    one = NotifyStep(parts, stop)
    one()
    one.join(5)

    assert bench.said == ["firing: [high] Data drift"]


def test_postgres_that_goes_away_while_sending_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = NotifyBench()
    bench.record(alert())
    one = step(bench)

    def away(_channel: str) -> int:
        raise Unavailable("Postgres went away")

    with monkeypatch.context() as patch:
        patch.setattr(bench.deliver, "run", away)
        one()
        one.join(5)
    one()
    one.join(5)
    assert bench.said == ["firing: [high] Data drift"]


def test_a_sender_that_breaks_ends_the_next_round_with_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = NotifyBench()
    bench.record(alert())
    one = step(bench)

    def broken(_channel: str) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(bench.deliver, "run", broken)
    one()
    one.join(5)
    with pytest.raises(ZeroDivisionError):
        one()


def test_the_first_round_gives_up_what_waits_for_a_channel_that_is_gone() -> None:
    bench = NotifyBench(channels={"gone": "low"})
    bench.record(alert())
    bench.notify.run()
    bench.channels = {"ops": "low"}
    bench.__post_init__()
    step(bench)()

    assert [(row.notice.channel, row.status) for row in bench.notices()] == [("gone", "failed")]
