"""A scale action ends with the number its first attempt decided, whatever happens in between."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evergreen.contracts.actions import ActionKind, ActionStatus
from evergreen.core.errors import Fenced, InvalidRequest, Unavailable
from evergreen.ports.scaler import Scaling
from tests.support.scaling import Bench

DOWN = ActionKind.SCALE_DOWN


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_scaling_up_adds_two_and_says_so(bench: Bench) -> None:
    claim = bench.claimed()
    assert bench.run(claim) == {"service": "serving", "before": 2, "after": 4, "bound": "maximum"}
    row = bench.row(claim.action)
    assert (row.status, row.result) == (ActionStatus.SUCCEEDED, {"service": "serving", "before": 2, "after": 4, "bound": "maximum"})
    (completed,) = bench.said()
    assert (completed.type, completed.data["result"]["after"]) == ("action_completed", 4)


def test_scaling_down_takes_one_away(bench: Bench) -> None:
    bench.scaler.counts["serving"] = 4
    assert bench.run(bench.claimed(DOWN)) == {"service": "serving", "before": 4, "after": 3, "bound": None}
    assert bench.scaler.asked == [("serving", 3)]


@pytest.mark.parametrize(("kind", "count", "bound"), [(ActionKind.SCALE_UP, 4, "maximum"), (DOWN, 2, "minimum")])
def test_at_the_bound_an_action_succeeds_and_says_that_nothing_changed(bench: Bench, kind: ActionKind, count: int, bound: str) -> None:
    bench.scaler.counts["serving"] = count
    claim = bench.claimed(kind)
    assert bench.run(claim) == {"service": "serving", "before": count, "after": count, "bound": bound}
    assert bench.row(claim.action).status is ActionStatus.SUCCEEDED


def test_a_persons_wish_is_a_number(bench: Bench) -> None:
    assert bench.run(bench.claimed(to=3))["after"] == 3
    assert bench.run(bench.claimed(DOWN, to=2)) == {"service": "serving", "before": 3, "after": 2, "bound": "minimum"}


def test_a_run_that_dies_after_the_effect_does_not_scale_twice_when_it_is_repeated(bench: Bench) -> None:
    bench.scaler.counts["serving"] = 4
    claim = bench.claimed(DOWN)
    with bench.store.transaction(claim.lease) as tx:
        tx.scalings.decide(claim.lease, Scaling("serving", 4, 3))
    bench.scaler.set("serving", 3)  # and here the process is gone; its lease runs out
    with bench.store.transaction(claim.lease) as tx:
        bench.store.tables.actions[claim.action.id] = replace(
            bench.store.tables.actions[claim.action.id], status=ActionStatus.PENDING, token=claim.lease.token + 1
        )
    again = bench.carry_out.claim(DOWN, "another run", claim.action.id)
    assert again is not None
    assert bench.run(again) == {"service": "serving", "before": 4, "after": 3, "bound": None}
    assert bench.scaler.counts == {"serving": 3}


def test_what_was_decided_outlives_a_failed_attempt(bench: Bench) -> None:
    claim = bench.claimed()
    bench.scaler.missing = 1  # one of the new ones does not come up
    with pytest.raises(Unavailable, match=r"3 workers run .* after 4 were asked for"):
        bench.run(claim)
    assert bench.carry_out.fail(claim.lease, "it did not come up")
    row = bench.row(claim.action)
    assert (row.status, row.result) == (ActionStatus.PENDING, {"service": "serving", "before": 2, "after": 4, "bound": "maximum"})


def test_a_run_whose_lease_went_to_another_touches_nothing(bench: Bench) -> None:
    claim = bench.claimed()
    zombie = replace(claim, lease=replace(claim.lease, token=claim.lease.token - 1))
    with pytest.raises(Fenced):
        bench.run(zombie)
    assert bench.scaler.asked == []


def test_an_unknown_service_fails_for_good_and_says_what_can_be_scaled(bench: Bench) -> None:
    claim = bench.claimed(service="kafka")
    with pytest.raises(InvalidRequest, match="'kafka' cannot be scaled; what can be: serving"):
        bench.run(claim)
    assert bench.row(claim.action).status is ActionStatus.FAILED
    assert [event.type for event in bench.said()] == ["action_failed"]


def test_a_platform_that_does_not_answer_leaves_the_action_to_be_repeated(bench: Bench) -> None:
    claim = bench.claimed()
    bench.scaler.fault = Unavailable("the API server does not answer")
    with pytest.raises(Unavailable):
        bench.run(claim)
    assert bench.row(claim.action).result is None
    assert bench.run(claim)["after"] == 4


def test_a_process_that_ends_does_not_wait_for_workers(bench: Bench) -> None:
    bench.settle_seconds, bench.scaler.missing = 60.0, 1
    bench.stop.set()
    with pytest.raises(Unavailable, match="this process ends"):
        bench.run(bench.claimed())
