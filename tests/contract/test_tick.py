"""The tick and the sweeper on every store: what is due fires once, nothing is stranded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from evergreen.contracts.actions import ActionKind, ActionStatus
from evergreen.contracts.envelope import decode, encode
from evergreen.contracts.topics import ACTIONS
from evergreen.services.carry_out import CAUSES_SAID
from tests.support.events import NOON, event
from tests.support.intake_bench import Bench, champion

# The tick


def test_a_timer_seen_for_the_first_time_starts_its_period(bench: Bench) -> None:
    champion(bench)

    assert bench.tick.run() == 0
    assert bench.tick.pending() == 0


def test_after_a_jump_each_timer_fires_once(bench: Bench) -> None:
    champion(bench)
    bench.tick.run()
    bench.clock.advance(timedelta(days=7))

    assert bench.tick.pending() == 2
    assert bench.tick.run() == 2
    assert bench.tick.run() == 0
    assert {row.action.kind for row in bench.due()} == {ActionKind.MAINTENANCE, ActionKind.PERFORMANCE_CHECK}
    assert {one["kind"] for one in bench.requested()} == {"maintenance", "performance_check"}


def test_a_model_without_champion_is_not_checked(bench: Bench) -> None:
    bench.tick.run()
    bench.clock.advance(timedelta(days=1))
    bench.tick.run()

    assert [row.action.kind for row in bench.due()] == [ActionKind.MAINTENANCE]


def test_a_clock_that_went_back_starts_the_periods_anew(bench: Bench) -> None:
    champion(bench)
    bench.tick.run()
    bench.clock.at = NOON - timedelta(days=400)
    assert bench.tick.run() == 0

    bench.clock.advance(timedelta(days=1))
    assert bench.tick.run() == 2


@pytest.mark.parametrize(
    ("days", "retrains"),
    [
        pytest.param({"champion_days": 30, "longest_days": 30, "available_days": 60}, True, id="doubled"),
        pytest.param({"champion_days": 30, "longest_days": 30, "available_days": 59}, False, id="not-yet"),
        pytest.param({"champion_days": 30, "longest_days": 40, "available_days": 60}, False, id="tried-with-more-already"),
        pytest.param({"champion_days": 90, "longest_days": 90, "available_days": 400}, False, id="trained-on-enough"),
    ],
)
def test_a_version_trained_on_little_is_retrained_when_its_data_has_doubled(bench: Bench, days: dict[str, int], *, retrains: bool) -> None:
    champion(bench, **days)
    bench.tick.run()
    bench.clock.advance(timedelta(days=1))
    bench.tick.run()

    assert [row.action.reason for row in bench.due() if row.action.kind is ActionKind.RETRAIN] == ["more_data"] * retrains


# The sweeper


def test_a_scheduled_action_is_rung_when_it_becomes_due(bench: Bench) -> None:
    bench.send(event("data_drift_detected", severity="medium"))
    assert bench.sweep.ring() == 0

    bench.clock.at = datetime(2025, 8, 6, 18, 0, tzinfo=UTC)
    assert bench.sweep.ring() == 1
    assert bench.sweep.ring() == 0
    assert [one["reason"] for one in bench.requested()] == ["data_drift_medium"]
    assert [(row.rule, row.outcome) for row in bench.decisions()][-1] == ("timer_due.release", "accepted")


def test_an_action_that_took_in_thousands_of_events_is_rung_and_keeps_every_cause(bench: Bench) -> None:
    bench.send(*(event("data_drift_detected", severity="medium") for _ in range(3_000)))

    bench.clock.at = datetime(2025, 8, 6, 18, 0, tzinfo=UTC)
    assert bench.sweep.ring() == 1
    (said,) = bench.requested()
    assert len(said["causes"]) == CAUSES_SAID
    assert len(bench.claim(ActionKind.RETRAIN).action.causes) == 3_000


def test_a_new_action_is_not_rung_twice(bench: Bench) -> None:
    bench.send(event("data_ingested"), event("data_ingested", batch_id="b2"))

    assert bench.sweep.ring() == 0


def test_nobody_is_rung_for_while_a_run_of_the_kind_is_out(bench: Bench) -> None:
    bench.send(event("data_drift_detected", severity="medium"))
    bench.clock.at = datetime(2025, 8, 6, 18, 0, tzinfo=UTC)
    assert bench.sweep.ring() == 1
    bench.claim(ActionKind.RETRAIN)
    with bench.store.transaction() as tx:
        again = bench.claim(ActionKind.RETRAIN).action.model_copy(update={"id": uuid4()})
        tx.actions.insert(again, key="other", event_type="t", accepted_at=NOON)

    assert bench.sweep.ring() == 0


def test_a_lost_lease_comes_back_and_is_rung(bench: Bench) -> None:
    bench.send(event("data_ingested"))
    with bench.store.transaction() as tx:
        tx.actions.claim(ActionKind.INGEST, "dead", NOON, timedelta(seconds=-1))

    assert bench.sweep.expire() == (1, 0)
    with bench.store.transaction() as tx:
        row = tx.actions.get(UUID(bench.requested()[0]["id"]))
    assert row is not None
    assert (row.status, row.attempts, row.error) == (ActionStatus.PENDING, 1, "lease expired")


def test_after_the_last_attempt_the_sweeper_gives_up_and_says_so(bench: Bench) -> None:
    bench.send(event("data_ingested"))
    for number in range(3):
        with bench.store.transaction() as tx:
            claimed = tx.actions.claim(ActionKind.INGEST, f"r{number}", NOON, timedelta(seconds=-1))
            assert claimed is not None
            if number < 2:
                tx.actions.retry_later(claimed.lease, error="boom", wait=timedelta(seconds=-1))

    assert bench.sweep.expire() == (0, 1)
    said = [decode(message.value or b"") for message in bench.outbox(ACTIONS)]
    assert [one.type for one in said] == ["action_requested", "action_failed"]
    bench.take_in.run([bench.message(encode(said[-1]), ACTIONS)])
    assert [row.rule for row in bench.decisions("-")] == ["data_ingested.any", "action_failed.any"]
