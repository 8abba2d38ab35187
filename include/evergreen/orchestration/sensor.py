"""The first task of every DAG: claims the one action its run carries out."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import BaseSensorOperator, BaseXCom
from airflow.sdk.exceptions import AirflowFailException, AirflowSensorTimeout, DownstreamTasksSkipped, TaskDeferred

from evergreen.contracts.actions import Action, ActionKind
from evergreen.core.errors import DataRejected, Fenced
from evergreen.orchestration.approval import AUTOMATIC, parked, put_question, read_answer
from evergreen.orchestration.by_hand import IncompleteForm, read_form
from evergreen.orchestration.lease import NOTE_LIMIT, from_xcom, note_of, to_xcom
from evergreen.orchestration.process import parts

if TYPE_CHECKING:
    from airflow.sdk import Context

    from evergreen.core.approval import Answered
    from evergreen.ports.storage import ClaimedAction

DAGS_TEST = "dag_test"
"""The user in whose name `airflow dags test` runs a DAG."""


class ActionSensor(BaseSensorOperator):
    """Satisfied by what a person asked for with this run, else by a pending action of its kind; hands on the lease.

    Guarantee: a run carries out at most one action, and asking again in the same run (a retry) gives the same one. Failure: the run dies
    between claim and work. Remedy: the lease runs out and the sweeper rings. A rung run that finds nothing (the action went to an earlier
    run) ends green with its other tasks skipped. Only `airflow dags test` waits, on the recorded topic: live runs are started by the doorbell. An action
    whose policy wants a person's word waits here for it (ask_approval.py)."""

    def __init__(self, *, kind: ActionKind, task_id: str = "claim", timeout: float = 60, **keywords: Any) -> None:
        keywords = {"retries": 3, "retry_delay": timedelta(seconds=3), "retry_exponential_backoff": True, **keywords}
        super().__init__(task_id=task_id, timeout=timeout, **keywords)
        self.kind = kind

    def execute(self, context: Context) -> dict[str, Any]:
        run = context["dag_run"]
        is_test = run.triggering_user_name == DAGS_TEST
        if run.conf:
            return self._claim(context, self._asked_for(context, is_test=is_test))
        claimed = parts().carry_out.claim(self.kind, run.run_id)
        if claimed is None and is_test:
            self._wait()
        return self._hand_on(context, claimed, "no action of this kind is due: the one that rang went to another run")

    def _wait(self) -> NoReturn:
        from evergreen.orchestration.recorded import RecordedActionTrigger

        trigger = RecordedActionTrigger(kind=self.kind.value, seconds=self.timeout)
        raise TaskDeferred(trigger=trigger, method_name=self.found.__name__, timeout=timedelta(seconds=self.timeout + 10))

    def found(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """The inline trigger's answer: an action that may be known to Kafka only, since no intake ran beside this test."""
        if event["action"] is None:
            raise AirflowSensorTimeout(f"no open action_requested of kind {self.kind} within {self.timeout:.0f} s")
        action = Action.model_validate_json(event["action"])
        now = parts().clock.now()
        with parts().store.transaction() as tx:
            if tx.actions.get(action.id) is None:
                tx.actions.insert(action, key=f"recorded:{action.id}", event_type="action_requested", accepted_at=now)
        return self._claim(context, action)

    def _asked_for(self, context: Context, *, is_test: bool) -> Action:
        run = context["dag_run"]
        form = {**context["params"]}
        if is_test and not form.get("reason"):
            form["reason"] = "airflow dags test"
        try:
            wish = read_form(self.kind, form)
        except (IncompleteForm, DataRejected) as error:
            raise AirflowFailException(str(error)) from error
        who = run.triggering_user_name or "unknown"
        return parts().carry_out.request(self.kind, model=wish.model, target=wish.target, reason="manual", who=who, key=run.run_id, params=wish.params)

    def _claim(self, context: Context, action: Action) -> dict[str, Any]:
        claimed = parts().carry_out.claim(self.kind, context["dag_run"].run_id, action.id)
        return self._hand_on(context, claimed, f"action {action.id} is done, or waits for another of its kind and model: then it rings for a run of its own")

    def _hand_on(self, context: Context, claimed: ClaimedAction | None, otherwise: str) -> dict[str, Any]:
        if claimed is None:
            self.log.info("Nothing to do: %s", otherwise)
            raise _skipping_the_rest(context)
        note = note_of(claimed.action, claimed.attempts)
        self.log.info("Claimed %s", note)
        claim = to_xcom(claimed.lease, claimed.action, note)
        question = parts().people.ask_approval.question(claimed)
        if question is None:
            return claim
        context["ti"].xcom_push(key=BaseXCom.XCOM_RETURN_KEY, value=claim)  # links and note of a run that waits
        parts().people.ask_approval.ask(claimed, question)
        if context["dag_run"].triggering_user_name == DAGS_TEST:
            return self._go_on(context, claim, AUTOMATIC)
        put_question(context, question)
        raise parked(question, self.answered.__name__, claim)

    def answered(self, context: Context, claim: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
        """A person's answer, or the default when time was up."""
        return self._go_on(context, claim, read_answer(event))

    def _go_on(self, context: Context, claim: dict[str, Any], answer: Answered) -> dict[str, Any]:
        """Rejected, the run ends green with the change skipped, and says by whom."""
        try:
            parts().people.ask_approval.answer(from_xcom(claim), self.kind, answer)
        except Fenced as error:
            self.log.warning("The answer came too late: %s", error)
            raise _skipping_the_rest(context) from error
        self.log.info("%s", str(answer).capitalize())
        if answer.approved:
            return claim
        context["ti"].xcom_push(key=BaseXCom.XCOM_RETURN_KEY, value={**claim, "note": f"{answer} · {claim['note']}"[:NOTE_LIMIT]})
        raise _skipping_the_rest(context)


def _skipping_the_rest(context: Context) -> DownstreamTasksSkipped:
    return DownstreamTasksSkipped(tasks=sorted(context["task"].get_flat_relative_ids(upstream=False)))
