"""kill -9 of the run that promotes, of serving workers and of both, at any moment of a promotion with a canary, while applications ask: each
promotion ends once, by another run of the same action, and only who was on a killed worker's connection misses an answer.

A drill (`make drills`). The bad model's drill is here too: promoted by a run that is killed again and again, it is still cancelled."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Iterator
from itertools import pairwise
from uuid import UUID

import pytest

from evergreen.contracts.actions import ActionStatus
from evergreen.settings import Settings
from tests.support.claims import said
from tests.support.rollout import ASKERS, BREAKS, FIRST, GOOD, MODEL, Rollout, asked, promoting, rollout
from tests.support.worker_processes import until

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.timeout(1800)]
ROUNDS = 10
CANARY_SECONDS = 6.0
LATEST_KILL = 12.0
"""After the run was started: it may be preparing, watching, confirming or through."""


@pytest.fixture(scope="module")
def loop(stack_settings: Settings) -> Iterator[Rollout]:
    with rollout(stack_settings, GOOD, BREAKS) as found:
        yield found


def carried_out(loop: Rollout, action: UUID, kills: list[float], killed: list[str]) -> int:
    """By runs of which the first ones are killed so many seconds after their start; the last one's exit code."""
    for seconds in kills:
        run = promoting(loop.settings, action, CANARY_SECONDS)
        try:
            run.wait(seconds)
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGKILL)
            run.wait()
            history = loop.history()
            killed.append(history[0].status if history[0].action_id == action else "before it began")
            continue
        return run.returncode
    return promoting(loop.settings, action, CANARY_SECONDS).wait(180)


def action_of(loop: Rollout, action: UUID) -> ActionStatus:
    with loop.store.transaction() as tx:
        return tx.actions.require(action).status


def test_every_promotion_ends_once_whoever_is_killed(loop: Rollout) -> None:
    chance, killed, actions, workers_killed = random.Random(11), list[str](), list[UUID](), 0
    with asked(loop.workers) as asking:
        for number in range(ROUNDS):
            version = (FIRST, GOOD)[(number + 1) % 2]
            loop.approved(version)
            action = loop.claim(version).action.id
            actions.append(action)
            if number % 3 == 2:
                loop.workers.replace("serving-01")
                workers_killed += 1
            kills = [chance.uniform(1.0, LATEST_KILL) for _ in range(chance.randint(1, 2))]
            assert carried_out(loop, action, kills, killed) == 0
            assert (loop.champion(), action_of(loop, action)) == (version, ActionStatus.SUCCEEDED)
            until(lambda: loop.live() == 2, 120)
    print(f"killed {len(killed)} runs ({', '.join(killed)}) and {workers_killed} workers; {len(asking.heard)} answers, {len(asking.failures)} cut off")  # noqa: T201
    history = loop.history()
    epochs = sorted(row.epoch for row in history if row.served_from is not None)
    assert epochs == list(range(1, len(epochs) + 1)), "an epoch is given once"
    assert [len([row for row in history if row.action_id == one and row.status == "confirmed"]) for one in actions] == [1] * ROUNDS
    told = [event.id for event in said(loop.store, "/airflow/promote") if event.type == "model_deployed"]
    assert len(set(told)) == len(told)
    assert len(told) >= ROUNDS
    assert len(asking.failures) <= ASKERS * workers_killed
    assert {"canary"} <= {*killed}
    served = [one.version for one in sorted(asking.heard, key=lambda one: one.at)]
    assert {before for before, _ in pairwise(served)} == {f"{MODEL}@{FIRST}", f"{MODEL}@{GOOD}"}


def test_a_bad_model_is_cancelled_however_often_its_promotion_is_killed(loop: Rollout) -> None:
    champion = loop.champion()
    loop.approved(BREAKS)
    action = loop.claim(BREAKS).action.id
    killed: list[str] = []
    with asked(loop.workers, odd_in=20) as asking:
        code = carried_out(loop, action, [4.0, 4.0], killed)
        time.sleep(2)
        ended = time.monotonic()
        time.sleep(2)
    print(f"killed while {', '.join(killed) or 'nothing'}; {loop.history()[0].canary_verdict}")  # noqa: T201 - belongs into the report
    with loop.store.transaction() as tx:
        row = tx.versions.get(MODEL, BREAKS)
    assert row is not None
    assert row.quarantined
    assert (code != 0, loop.champion(), action_of(loop, action)) == (True, champion, ActionStatus.FAILED)
    assert asking.failures == []
    assert {one.version for one in asking.heard if one.at > ended} == {f"{MODEL}@{champion}"}
