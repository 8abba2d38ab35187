"""What the tasks after the claim do: carry the action out under its lease, say so when it failed, ring again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog
from airflow.sdk import BaseXCom, ExceptionRetryPolicy, RetryAction, RetryRule, get_current_context
from airflow.sdk.exceptions import AirflowSkipException, DownstreamTasksSkipped

from evergreen.contracts.actions import ActionKind, ActionStatus
from evergreen.core.errors import EvergreenError, Fenced, PublishFailed, Unavailable
from evergreen.orchestration.lease import CLAIM_TASK, from_xcom
from evergreen.orchestration.process import parts
from evergreen.orchestration.warm import quiet_airflow
from evergreen.ports.storage import ClaimedAction, Lease

if TYPE_CHECKING:
    from airflow.sdk import Context

log = structlog.get_logger(__name__)

PASSING = [Unavailable, PublishFailed]
"""A part was away: the next try, seconds later, may find it back. After any other error of ours the same again changes nothing at once;
the action's own back-off (30 s, 60 s) still gives it two more runs."""


def told_failed(context: Context) -> None:
    """After the last try: the action goes back to pending, or is failed for good. A crash before this line is the expired lease's business."""
    lease = context["ti"].xcom_pull(task_ids=CLAIM_TASK)
    if lease is None:
        return
    error = context.get("exception")
    words = f"{type(error).__name__}: {error}" if error is not None else "the task was ended from outside"
    if parts().carry_out.fail(from_xcom(lease), words):
        log.warning("action_failed_here", action_id=lease["action_id"], error=words)


RUNG: dict[str, Any] = {
    "catchup": False,
    "max_active_runs": 1,
    "allowed_run_types": ["asset_triggered", "manual"],
    "default_args": {"owner": "evergreen"},
}
"""Of every DAG: no cron, no backfill. One run at a time loses nothing, since each run rings for the next."""

ASKS: dict[str, Any] = RUNG | {"max_active_runs": 16}
"""Of the DAGs that may ask a person: a run that waits for hours holds up no other model's. Claims still let out one action per model."""

_POLICY = ExceptionRetryPolicy(
    [RetryRule(exception=PASSING, action=RetryAction.RETRY), RetryRule(exception=EvergreenError, action=RetryAction.FAIL)],
)

WORK: dict[str, Any] = {
    "retries": 2,
    "retry_delay": timedelta(seconds=4),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(seconds=20),
    "retry_policy": _POLICY,
    "on_failure_callback": told_failed,
    "execution_timeout": timedelta(minutes=15),
}
"""Of the task that carries the action out. All its waiting together stays below a lease, so a retry still owns the action."""

LONG_WORK: dict[str, Any] = WORK | {"execution_timeout": timedelta(hours=2)}

RING: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(seconds=3)}
"""Of the last task, a teardown: it rings after failed work too, and the run is as green or red as its work."""


def carry_out(claim: Mapping[str, Any]) -> dict[str, Any]:
    """The result of the claimed action's use case. With nothing more of its kind due, the ringing task is skipped: that saves a process.

    Guarantee: effects happen once. Failure: this task is repeated after the commit, or the lease went to another run. Remedy: a finished
    action gives its recorded result; a lost lease ends the run as skipped, and the other run writes."""
    quiet_airflow()
    structlog.contextvars.bind_contextvars(action_id=claim["action_id"], traceparent=claim["traceparent"])
    try:
        result = dict(_result(from_xcom(claim)))
    except Fenced as error:
        raise AirflowSkipException(str(error)) from error
    if not _more_due(ActionKind(claim["kind"])):
        context = get_current_context()
        context["ti"].xcom_push(key=BaseXCom.XCOM_RETURN_KEY, value=result)
        raise DownstreamTasksSkipped(tasks=sorted(context["task"].get_flat_relative_ids(upstream=False)))
    return result


def _result(lease: Lease) -> Mapping[str, Any]:
    with parts().store.transaction() as tx:
        row = tx.actions.get(lease.action_id)
    if row is None:
        raise Fenced(f"action {lease.action_id} was deleted")
    if row.status is ActionStatus.SUCCEEDED and row.token == lease.token:
        return row.result or {}
    with parts().carry_out.working(lease):
        return parts().use_case(row.action.kind)(ClaimedAction(row.action, lease, row.attempts))


def _more_due(kind: ActionKind) -> bool:
    with parts().store.transaction() as tx:
        return bool(tx.actions.due(parts().clock.now(), kind))


def ring_again(kind: ActionKind) -> int:
    """Rings for the next due action of the kind; how many are due."""
    return parts().carry_out.ring_if_pending(kind)
