"""The executor's round: what is due is carried out, what fails comes back later, what cannot be done is told."""

from __future__ import annotations

import threading
import time

import pytest

from evergreen.contracts.actions import ActionKind, ActionStatus
from evergreen.core.errors import Unavailable
from evergreen.ports.storage import MAX_ATTEMPTS
from evergreen.workers import scale_step
from tests.support.scaling import Bench


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(scale_step, "ROUND_SECONDS", 0.01)
    return Bench()


def test_a_round_carries_out_what_is_due_of_both_kinds_and_scales_up_first(bench: Bench) -> None:
    down, up = bench.pending(ActionKind.SCALE_DOWN), bench.pending(ActionKind.SCALE_UP)
    bench.step()()
    assert [bench.row(action).status for action in (down, up)] == [ActionStatus.SUCCEEDED] * 2
    assert bench.scaler.asked == [("serving", 4), ("serving", 3)]


def test_a_failed_attempt_waits_before_the_next_and_the_last_one_is_told(bench: Bench) -> None:
    action, step = bench.pending(), bench.step()
    for attempt in range(1, MAX_ATTEMPTS + 1):
        bench.scaler.fault = Unavailable("docker compose up did not end within 60 s")
        step()
        row = bench.row(action)
        assert (row.attempts, row.error) == (attempt, "docker compose up did not end within 60 s")
        bench.scaler.fault = None
        step()
        assert bench.row(action).attempts == attempt  # it waits
        bench.may_be_tried_again(action)
    assert bench.row(action).status is ActionStatus.FAILED
    assert [event.type for event in bench.said()] == ["action_failed"]


def test_what_cannot_be_scaled_is_failed_at_once_and_the_next_goes_on(bench: Bench) -> None:
    wrong, right = bench.pending(service="kafka"), bench.pending()
    bench.step()()
    assert (bench.row(wrong).status, bench.row(wrong).attempts) == (ActionStatus.FAILED, 1)
    assert bench.row(right).status is ActionStatus.SUCCEEDED


def test_without_work_a_round_waits_and_ends_when_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale_step, "ROUND_SECONDS", 30.0)
    threading.Timer(0.1, bench.stop.set).start()
    begun = time.monotonic()
    bench.step()()
    assert 0.05 < time.monotonic() - begun < 5
