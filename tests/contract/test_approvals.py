"""Asking a person, on every store: the lease outlives the wait, the answer is recorded, a rejected action is over."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import pytest

from evergreen.contracts.actions import Action, ActionKind, ActionStatus
from evergreen.contracts.envelope import derived_id, new_id
from evergreen.core.approval import Answered
from evergreen.core.clock import FixedClock, wall_now
from evergreen.core.errors import Fenced
from evergreen.ports.approvals import ApprovalRow, ApprovalStore
from evergreen.ports.records import RecordStore
from evergreen.ports.storage import ActionRow, ClaimedAction
from evergreen.services.ask_approval import ENDED, AskApproval
from evergreen.services.carry_out import CarryOut
from evergreen.services.pause import TurnSwitch
from tests.support.events import MODEL, NOON

TERMS = {"timeout_seconds": 3600, "default": "reject"}
KIND = ActionKind.PROMOTE


class Desk:
    """One action that asks, and whoever may answer."""

    def __init__(self, store: RecordStore) -> None:
        self.store = cast("ApprovalStore", store)
        self.carry_out = CarryOut(self.store, FixedClock(NOON))
        self.words: tuple[str, str] | None = ("Promote?", "Because.")
        self.ask_approval = AskApproval(self.store, self.carry_out, lambda _: self.words)

    def waits(self, version: int = 2, model: str = MODEL, **params: Any) -> Action:
        facts = {"id": UUID(derived_id(new_id())), "kind": KIND, "model": model, "target": f"{model}@{version}", "params": params, "reason": "approved"}
        action = Action(**facts, due_at=NOON, as_of=NOON)
        with self.store.transaction() as tx:
            tx.actions.insert(action, key=str(action.id), event_type="model_evaluation_completed", accepted_at=NOON)
        return action

    def claim(self, run_id: str = "run-1") -> ClaimedAction:
        claimed = self.carry_out.claim(KIND, run_id)
        assert claimed is not None
        return claimed

    def asked(self, run_id: str = "run-1") -> ClaimedAction:
        claimed = self.claim(run_id)
        question = self.ask_approval.question(claimed)
        assert question is not None
        self.ask_approval.ask(claimed, question)
        return claimed

    def row(self, claimed: ClaimedAction) -> ActionRow:
        with self.store.transaction() as tx:
            row = tx.actions.get(claimed.action.id)
        assert row is not None
        return row

    def approvals(self, claimed: ClaimedAction) -> list[ApprovalRow]:
        with self.store.transaction() as tx:
            return tx.approvals.of_action(claimed.action.id)

    def swept(self) -> list[ActionRow]:
        with self.store.transaction() as tx:
            return tx.actions.expire_leases()


@pytest.fixture
def desk(store: RecordStore) -> Desk:
    return Desk(store)


def test_an_action_without_terms_is_not_asked_about(desk: Desk) -> None:
    desk.waits()

    assert desk.ask_approval.question(desk.claim()) is None


def test_a_question_that_changes_nothing_any_more_is_not_asked(desk: Desk) -> None:
    desk.waits(approval=TERMS)
    desk.words = None

    assert desk.ask_approval.question(desk.claim()) is None


def test_while_a_person_is_asked_the_action_is_his_and_other_models_go_on(desk: Desk) -> None:
    desk.waits(approval=TERMS)
    claimed = desk.claim()
    with desk.store.transaction() as tx:
        assert tx.actions.renew(claimed.lease, timedelta(seconds=-1))  # an ordinary lease would be over
    question = desk.ask_approval.question(claimed)
    assert question is not None
    desk.ask_approval.ask(claimed, question)

    desk.waits(model="another")

    assert desk.swept() == []
    assert desk.claim("run-2").action.model == "another"
    (row,) = desk.approvals(claimed)
    assert (row.subject, row.by_default, row.answer, row.run_id) == ("Promote?", "reject", None, "run-1")
    assert row.until - row.asked_at == timedelta(hours=1)


def test_approved_it_goes_on_and_is_recorded(desk: Desk) -> None:
    desk.waits(approval=TERMS)
    claimed = desk.asked()

    desk.ask_approval.answer(claimed.lease, KIND, Answered("approve", "person", "kim", "looks good"))

    assert desk.row(claimed).status is ActionStatus.CLAIMED
    (row,) = desk.approvals(claimed)
    assert (row.answer, row.how, row.who, row.comment) == ("approve", "person", "kim", "looks good")
    assert row.answered_at is not None
    assert row.answered_at <= wall_now()


def test_an_approval_holds_for_the_next_attempt(desk: Desk) -> None:
    desk.waits(approval=TERMS)
    claimed = desk.asked()
    desk.ask_approval.answer(claimed.lease, KIND, Answered("approve", "person", "kim"))
    with desk.store.transaction() as tx:
        tx.actions.retry_later(claimed.lease, error="a worker did not answer", wait=timedelta(0))

    assert desk.ask_approval.question(desk.claim("run-2")) is None


@pytest.mark.parametrize(
    ("answered", "error"),
    [
        pytest.param(Answered("reject", "person", "kim", "not before the holidays"), "rejected by kim: not before the holidays", id="person"),
        pytest.param(Answered("reject", "default"), "rejected by default: nobody answered in time", id="default"),
    ],
)
def test_rejected_it_is_cancelled_with_who_and_why_and_not_tried_again(desk: Desk, answered: Answered, error: str) -> None:
    desk.waits(approval=TERMS)
    claimed = desk.asked()

    desk.ask_approval.answer(claimed.lease, KIND, answered)

    row = desk.row(claimed)
    assert (row.status, row.error) == (ActionStatus.CANCELLED, error)
    assert row.result == {"outcome": "rejected", "how": answered.how, "who": answered.who, "comment": answered.comment}
    assert desk.carry_out.claim(KIND, "run-2") is None
    assert desk.swept() == []


def test_after_a_rejection_the_next_of_the_kind_is_rung(desk: Desk) -> None:
    desk.waits(approval=TERMS)
    claimed = desk.asked()
    later = desk.waits(3)

    desk.ask_approval.answer(claimed.lease, KIND, Answered("reject", "person", "kim"))

    with desk.store.transaction() as tx:
        assert [str(later.id) in str(message.value) for message in tx.outbox.unsent(10)] == [True]


def test_an_answer_to_a_lost_claim_is_fenced_and_the_next_run_asks_again(desk: Desk) -> None:
    desk.waits(approval=TERMS)
    late = desk.asked()
    with desk.store.transaction() as tx:
        tx.actions.retry_later(late.lease, error="lease expired", wait=timedelta(0))
    again = desk.asked("run-2")

    with pytest.raises(Fenced):
        desk.ask_approval.answer(late.lease, KIND, Answered("approve", "person", "kim"))

    assert [(row.token, row.answer) for row in desk.approvals(again)] == [(1, None), (2, None)]


def test_a_run_ended_while_it_waited_gives_its_action_back(desk: Desk) -> None:
    desk.waits(approval=TERMS)
    claimed = desk.asked()

    assert desk.ask_approval.run_ended(KIND, "run-1")

    row = desk.row(claimed)
    assert (row.status, row.error, row.attempts) == (ActionStatus.PENDING, ENDED, 1)
    assert not desk.ask_approval.run_ended(KIND, "run-1")


def test_a_run_that_was_answered_or_never_asked_gives_nothing_back(desk: Desk) -> None:
    desk.waits(approval=TERMS)
    claimed = desk.asked()
    desk.ask_approval.answer(claimed.lease, KIND, Answered("approve", "person", "kim"))

    assert not desk.ask_approval.run_ended(KIND, "run-1")
    assert not desk.ask_approval.run_ended(ActionKind.ROLLBACK, "run-1")
    assert desk.row(claimed).status is ActionStatus.CLAIMED


def test_an_approval_given_in_a_pause_counts_after_the_resume_and_nobody_is_asked_again(desk: Desk) -> None:
    desk.waits(approval=TERMS)
    claimed = desk.asked()
    turn = TurnSwitch(cast("RecordStore", desk.store), FixedClock(NOON))
    turn.run(paused=True, who="me", reason="wait")

    desk.ask_approval.answer(claimed.lease, KIND, Answered("approve", "person", who="Kim"))

    assert desk.row(claimed).status is ActionStatus.PENDING
    assert desk.carry_out.claim(KIND, "run-2") is None
    turn.run(paused=False, who="me", reason="go on")
    again = desk.claim("run-2")
    assert desk.ask_approval.question(again) is None
