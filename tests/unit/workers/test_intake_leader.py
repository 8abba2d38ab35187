"""A leader's thread: tries again what may work later, and does not hide what will not."""

from __future__ import annotations

import threading
from typing import cast

import pytest

from evergreen.adapters.postgres.leadership import Leadership
from evergreen.core.errors import EvergreenError, InvalidEvent, InvalidPolicy, Unavailable
from evergreen.services.intake import StateMoved
from evergreen.workers import intake_leader
from evergreen.workers.intake_leader import LeaderThread


class Lead:
    """Always this process."""

    closed = False

    def hold(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True


class Step:
    def __init__(self, errors: list[Exception], stop: threading.Event) -> None:
        self._errors = errors
        self._stop = stop
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1
        if self._errors:
            raise self._errors.pop()
        self._stop.set()


def led(*errors: Exception) -> tuple[int, list[BaseException], bool]:
    """(how often the step ran, what ended the process, whether the lead was given back)"""
    stop, failures, lead = threading.Event(), list[BaseException](), Lead()
    step = Step(list(errors), stop)
    thread = LeaderThread(cast(Leadership, lead), step, stop, failures.append)
    thread.start()
    thread.join(timeout=10)
    return step.calls, failures, lead.closed


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Unavailable("Postgres does not answer"), id="part-away"),
        pytest.param(InvalidPolicy("policy:1: a mistake"), id="policy"),
        pytest.param(StateMoved("an action was claimed meanwhile"), id="state-moved"),
        pytest.param(InvalidEvent("oversize", "too many bytes"), id="event"),
    ],
)
def test_what_may_work_later_is_tried_again(error: EvergreenError, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_leader, "PATIENCE", 0.001)

    assert led(error, error) == (3, [], True)


def test_a_defect_ends_the_process() -> None:
    defect = ZeroDivisionError("a defect")

    assert led(defect) == (1, [defect], True)
