"""Asking a person before a champion changes: the question, the wait, the answer.

Guarantee: an action whose policy asks for approval is carried out only after an answer that is recorded with who gave it and how; rejected,
it is cancelled and nothing changes. Failure: nobody answers, the run ends or is deleted while it waits, the answer comes after the claim was
lost. Remedy: the default holds when time is up; a run that ended gives its action back at once (the listener), a deleted one when its lease,
longer than the wait, runs out; a late answer is fenced. An approval holds for every later attempt of the same action."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from evergreen.contracts.actions import Action, ActionKind, ActionStatus
from evergreen.core.approval import Answered, Question, terms_of
from evergreen.core.clock import wall_now
from evergreen.ports.approvals import ApprovalRow, ApprovalStore, ApprovalTransaction
from evergreen.ports.storage import ClaimedAction, Lease
from evergreen.services.carry_out import LEASE, CarryOut

MARGIN = timedelta(minutes=15)
"""Between the end of the wait and that of the lease: a scheduler that was away applies the default later."""
ENDED = "its run was ended while a person was asked"

Wording = Callable[[Action], tuple[str, str] | None]
"""Subject and body of the question; None: carrying the action out would change nothing (any more)."""


class AskApproval:
    def __init__(self, store: ApprovalStore, carry_out: CarryOut, wording: Wording) -> None:
        self._store = store
        self._carry_out = carry_out
        self._wording = wording

    def question(self, claimed: ClaimedAction) -> Question | None:
        """None: nobody is to be asked. Costs nothing for an action without terms."""
        terms = terms_of(claimed.action.params)
        if terms is None:
            return None
        with self._store.transaction() as tx:
            if any(row.answer == "approve" for row in tx.approvals.of_action(claimed.action.id)):
                return None
        words = self._wording(claimed.action)
        return None if words is None else Question(*words, terms)

    def ask(self, claimed: ClaimedAction, question: Question) -> None:
        """Recorded, and the lease outlives the wait."""
        lease, terms, now = claimed.lease, question.terms, wall_now()
        row = ApprovalRow(lease.action_id, lease.token, lease.run_id, question.subject, now, now + terms.timeout, terms.default)
        with self._store.transaction(lease) as tx:
            tx.approvals.ask(row)
            tx.actions.renew(lease, terms.timeout + MARGIN)

    def answer(self, lease: Lease, kind: ActionKind, answered: Answered) -> None:
        """Approved: the lease is a working one again. Rejected: the action is cancelled, and the next of its kind is rung.
        Raises Fenced when the action went to another run meanwhile."""
        with self._store.transaction(lease) as tx:
            tx.approvals.answer(lease, answered, wall_now())
            if answered.approved and self._held(tx, lease):
                tx.actions.retry_later(lease, error="approved while the policy is paused: waits for the resume", wait=timedelta(0))
            elif answered.approved:
                tx.actions.renew(lease, LEASE)
            else:
                facts = {"outcome": "rejected", "how": answered.how, "who": answered.who, "comment": answered.comment}
                tx.actions.finish(lease, ActionStatus.CANCELLED, result=facts, error=str(answered))
        if not answered.approved:
            self._carry_out.ring_if_pending(kind)

    @staticmethod
    def _held(tx: ApprovalTransaction, lease: Lease) -> bool:
        """The kill switch was turned while somebody was asked. Their word counts after the resume, and nobody is asked again."""
        pause, row = tx.pauses.current(), tx.actions.get(lease.action_id)
        return pause is not None and pause.paused and row is not None and row.event_type != "manual"

    def run_ended(self, kind: ActionKind, run_id: str) -> bool:
        """A run that still waited was ended by hand: its action waits for another. False: it did not wait."""
        with self._store.transaction() as tx:
            lease = tx.approvals.waiting(kind, run_id)
        return lease is not None and self._carry_out.fail(lease, ENDED)
