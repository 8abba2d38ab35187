"""One suite for the store: claims, fencing, the outbox, events once. The twin in memory and Postgres behave alike."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from evergreen.contracts.actions import Action, ActionKind, ActionStatus
from evergreen.contracts.envelope import decode, derived_id, new_id
from evergreen.core.clock import wall_now
from evergreen.core.errors import Fenced
from evergreen.ports.records import EventRow, RecordStore
from evergreen.ports.storage import ClaimedAction
from evergreen.services.carry_out import request_event
from tests.support.events import MODEL, NOON, event

MINUTE = timedelta(minutes=1)
EXPIRED = timedelta(seconds=-1)


def action(kind: ActionKind = ActionKind.RETRAIN, **changes: Any) -> Action:
    facts: dict[str, Any] = {"id": UUID(derived_id(new_id())), "kind": kind, "model": MODEL, "target": MODEL, "reason": "r", "due_at": NOON, "as_of": NOON}
    return Action(**{**facts, **changes})


def waits(store: RecordStore, *actions: Action) -> None:
    with store.transaction() as tx:
        for one in actions:
            assert tx.actions.insert(one, key=str(one.id), event_type="data_drift_detected", accepted_at=NOON)


def claim(store: RecordStore, run_id: str, kind: ActionKind = ActionKind.RETRAIN, lease_for: timedelta = MINUTE, **changes: Any) -> ClaimedAction | None:
    with store.transaction() as tx:
        return tx.actions.claim(kind, run_id, NOON, lease_for, **changes)


def held(store: RecordStore, run_id: str, **changes: Any) -> ClaimedAction:
    claimed = claim(store, run_id, **changes)
    assert claimed is not None
    return claimed


# Claims


def test_high_priority_goes_first_then_the_oldest_due(store: RecordStore) -> None:
    late, early = action(model="a", due_at=NOON), action(model="b", due_at=NOON - MINUTE)
    urgent = action(model="c", priority="high")
    waits(store, late, early, urgent)

    assert [held(store, run).action.id for run in ("r1", "r2", "r3")] == [urgent.id, early.id, late.id]


def test_what_is_not_due_is_not_claimed(store: RecordStore) -> None:
    waits(store, action(due_at=NOON + MINUTE))

    assert claim(store, "r1") is None


def test_a_run_that_asks_again_gets_the_same_action(store: RecordStore) -> None:
    waits(store, action())

    first, again = held(store, "r1"), held(store, "r1")

    assert again == first
    assert again.attempts == 1


def test_one_action_of_a_kind_and_model_is_out_at_a_time(store: RecordStore) -> None:
    waits(store, action(), action())
    held(store, "r1")

    assert claim(store, "r2") is None
    waits(store, action(model="other"))
    assert held(store, "r3").action.model == "other"


def test_a_named_action_is_claimed_only_by_name(store: RecordStore) -> None:
    one, other = action(model="a"), action(model="b")
    waits(store, one, other)

    assert held(store, "r1", action_id=other.id).action.id == other.id
    assert claim(store, "r2", action_id=other.id) is None


def test_the_same_key_is_one_action(store: RecordStore) -> None:
    one = action()
    waits(store, one)

    with store.transaction() as tx:
        assert not tx.actions.insert(action(), key=str(one.id), event_type="t", accepted_at=NOON)


# Fencing


def test_an_expired_lease_goes_back_and_fences_the_old_run(store: RecordStore) -> None:
    waits(store, action())
    zombie = held(store, "r1", lease_for=EXPIRED)

    with store.transaction() as tx:
        returned = tx.actions.expire_leases()
    assert [row.status for row in returned] == [ActionStatus.PENDING]
    with store.transaction() as tx:
        assert not tx.actions.renew(zombie.lease, MINUTE)
    with pytest.raises(Fenced), store.transaction(zombie.lease):
        pytest.fail("a zombie opened a transaction")


def test_a_zombies_finish_is_refused(store: RecordStore) -> None:
    waits(store, action())
    zombie = held(store, "r1", lease_for=EXPIRED)
    with store.transaction() as tx:
        tx.actions.expire_leases()

    with pytest.raises(Fenced), store.transaction() as tx:
        tx.actions.finish(zombie.lease, ActionStatus.SUCCEEDED)


def test_a_lease_that_lives_is_left_alone(store: RecordStore) -> None:
    waits(store, action())
    held(store, "r1")

    with store.transaction() as tx:
        assert tx.actions.expire_leases() == []
        assert tx.actions.out() == {(ActionKind.RETRAIN, MODEL)}


def test_after_the_last_attempt_it_stays_for_whoever_gives_it_up(store: RecordStore) -> None:
    waits(store, action())
    for number in range(3):
        claimed = held(store, f"r{number}")
        with store.transaction(claimed.lease) as tx:
            tx.actions.renew(claimed.lease, EXPIRED)
            if number < 2:
                tx.actions.retry_later(claimed.lease, error="boom", wait=EXPIRED)

    with store.transaction() as tx:
        last = tx.actions.expire_leases()
    assert [(row.status, row.attempts) for row in last] == [(ActionStatus.CLAIMED, 3)]


def test_a_retry_waits_its_time(store: RecordStore) -> None:
    waits(store, action())
    claimed = held(store, "r1")
    with store.transaction(claimed.lease) as tx:
        tx.actions.retry_later(claimed.lease, error="boom", wait=MINUTE)

    assert claim(store, "r2") is None
    with store.transaction() as tx:
        row = tx.actions.get(claimed.action.id)
    assert row is not None
    assert (row.status, row.error) == (ActionStatus.PENDING, "boom")


def test_what_is_put_off_was_never_tried_and_looks_at_what_is_known_then(store: RecordStore) -> None:
    waits(store, action())
    claimed = held(store, "r1")
    later = NOON + timedelta(days=2)
    with store.transaction(claimed.lease) as tx:
        tx.actions.put_off(claimed.lease, until=later, why="waits for rows")

    assert claim(store, "r2") is None
    with store.transaction() as tx:
        [row] = tx.actions.open_of(ActionKind.RETRAIN, MODEL)
        again = tx.actions.claim(ActionKind.RETRAIN, "r3", later, MINUTE)
    assert (row.status, row.error, row.attempts, row.action.due_at, row.action.as_of) == (ActionStatus.PENDING, "waits for rows", 0, later, later)
    assert again is not None
    assert (again.action.id, again.attempts, again.lease.token) == (claimed.action.id, 1, claimed.lease.token + 1)
    with pytest.raises(Fenced), store.transaction(claimed.lease) as tx:
        tx.actions.finish(claimed.lease, ActionStatus.SUCCEEDED)


def test_open_ones_of_a_kind_and_model_come_by_due_time(store: RecordStore) -> None:
    late, early = action(due_at=NOON + MINUTE), action()
    waits(store, late, early, action(model="other"), action(ActionKind.EVALUATE))
    ended = held(store, "r1")
    with store.transaction() as tx:
        assert [row.action.id for row in tx.actions.open_of(ActionKind.RETRAIN, MODEL)] == [early.id, late.id]
    with store.transaction(ended.lease) as tx:
        tx.actions.finish(ended.lease, ActionStatus.SUCCEEDED)
        assert [row.action.id for row in tx.actions.open_of(ActionKind.RETRAIN, MODEL)] == [late.id]


# Transactions


def test_what_fails_leaves_nothing_behind(store: RecordStore) -> None:
    one = action()

    def fail_after_writing() -> None:
        with store.transaction() as tx:
            tx.actions.insert(one, key="k", event_type="t", accepted_at=NOON)
            tx.outbox.publish(request_event(one, NOON))
            raise LookupError

    with pytest.raises(LookupError):
        fail_after_writing()

    with store.transaction() as tx:
        assert tx.actions.get(one.id) is None
        assert tx.outbox.unsent(10) == []


def test_what_fails_in_a_savepoint_is_undone_alone(store: RecordStore) -> None:
    kept, undone = action(), action()
    with store.transaction() as tx:
        tx.actions.insert(kept, key="kept", event_type="t", accepted_at=NOON)
        with suppress(LookupError), tx.savepoint():
            tx.actions.insert(undone, key="undone", event_type="t", accepted_at=NOON)
            raise LookupError

    with store.transaction() as tx:
        assert tx.actions.get(kept.id) is not None
        assert tx.actions.get(undone.id) is None


# Events and outbox


def test_an_event_is_recorded_once(store: RecordStore) -> None:
    said = event("service_recovered")
    row = EventRow(said, said.content_hash(), received_at=wall_now())

    with store.transaction() as tx:
        assert tx.events.record([row]) == 1
        assert tx.events.record([row]) == 0
        assert tx.events.known([row.key, ("/other", "id")]) == {row.key: said.content_hash()}
        assert [found.event for found in tx.events.find(said.id)] == [said]


def test_an_event_leaves_once_however_often_its_step_is_repeated(store: RecordStore) -> None:
    said = event("service_recovered")
    with store.transaction() as tx:
        tx.outbox.publish(said)
        tx.outbox.publish_all([said, said])

    with store.transaction() as tx:
        messages = tx.outbox.unsent(10)
    assert [decode(message.value or b"").id for message in messages] == [said.id]
    assert "producedwall" in decode(messages[0].value or b"").extensions


def test_a_doorbell_rings_again_with_the_same_bytes(store: RecordStore) -> None:
    one = action()
    waits(store, one)
    with store.transaction() as tx:
        assert not tx.outbox.ring(one.id)
        tx.outbox.publish(request_event(one, NOON))
        assert tx.outbox.ring(one.id)

    with store.transaction() as tx:
        first, again = tx.outbox.unsent(10)
    assert (first.topic, first.key, first.value) == (again.topic, again.key, again.value)


def test_a_dead_letter_keeps_every_byte_and_is_one(store: RecordStore) -> None:
    original = (("trace", b"\xff\x00"), ("trace", None), ("reason", b"theirs"))
    with store.transaction() as tx:
        for _ in range(2):
            tx.outbox.dead_letter(b"\xfe", b"\x00\xff", {"reason": "bad_utf8"}, original, letter_id="l1")

    with store.transaction() as tx:
        (letter,) = tx.outbox.unsent(10)
    assert (letter.key, letter.value) == (b"\xfe", b"\x00\xff")
    assert tuple(letter.headers) == (*original, ("reason", b"bad_utf8"))


def test_pruning_keeps_what_the_sweeper_rings_with(store: RecordStore) -> None:
    one = action()
    waits(store, one)
    with store.transaction() as tx:
        tx.outbox.publish(request_event(one, NOON))
        tx.outbox.publish(event("service_recovered"))
    with store.transaction() as tx:
        tx.outbox.mark_sent([message.seq for message in tx.outbox.unsent(10)])

    with store.transaction() as tx:
        assert tx.outbox.prune(timedelta(seconds=-1)) == 1
        assert tx.outbox.ring(one.id)


def test_only_quiet_doorbells_are_due_again(store: RecordStore) -> None:
    rung, quiet = action(model="a"), action(model="b")
    waits(store, rung, quiet)
    with store.transaction() as tx:
        tx.actions.mark_rung([rung.id])

    with store.transaction() as tx:
        assert [row.action.id for row in tx.actions.due(NOON, rung_before=MINUTE)] == [quiet.id]
        assert len(tx.actions.due(NOON)) == 2
        assert tx.actions.due(NOON - MINUTE) == []


def test_the_first_quiet_one_of_each_kind_and_model_stands_for_all(store: RecordStore) -> None:
    first, second, other = action(), action(due_at=NOON - MINUTE, priority="high"), action(model="other")
    waits(store, first, second, other, action(model="later", due_at=NOON + MINUTE))

    with store.transaction() as tx:
        assert {row.action.id for row in tx.actions.quiet(NOON, MINUTE)} == {second.id, other.id}
        tx.actions.mark_all_rung(ActionKind.RETRAIN, MODEL, NOON)
        assert [row.action.id for row in tx.actions.quiet(NOON, MINUTE)] == [other.id]


def test_the_oldest_letters_go_first_and_large_ones_by_themselves(store: RecordStore) -> None:
    with store.transaction() as tx:
        for number in range(3):
            tx.outbox.dead_letter(None, b"x" * 10_000_000 if number == 1 else b"x", {}, letter_id=f"l{number}")

    with store.transaction() as tx:
        assert len(tx.outbox.unsent(10)[0].value or b"") == 1
        tx.outbox.mark_sent([tx.outbox.unsent(10)[0].seq])
        assert len(tx.outbox.unsent(10)[0].value or b"") == 10_000_000


# Policies and timers


def test_the_policy_activated_last_is_the_active_one(store: RecordStore) -> None:
    for policy_hash, before in [("a", None), ("a", None), ("b", "a"), ("a", "b")]:
        with store.transaction() as tx:
            assert tx.policies.activate(policy_hash, {"version": 1}) == before

    with store.transaction() as tx:
        assert tx.policies.active() == ("a", {"version": 1})


def test_a_timer_remembers_when_it_was_due(store: RecordStore) -> None:
    with store.transaction() as tx:
        tx.timers.set("maintenance", "-", NOON)
        tx.timers.set("maintenance", "-", NOON + MINUTE)

    with store.transaction() as tx:
        assert tx.timers.last() == {("maintenance", "-"): NOON + MINUTE}


def test_work_in_hand_is_counted(store: RecordStore) -> None:
    waits(store, action(model="a"), action(model="b", due_at=NOON + MINUTE), action(model="c"))
    held(store, "r1")

    with store.transaction() as tx:
        tx.outbox.publish(event("service_recovered"))
        work = tx.work.count(NOON)
    assert (work.due, work.out, work.unsent, work.undecided, work.next_due) == (1, 1, 1, 0, NOON + MINUTE)
