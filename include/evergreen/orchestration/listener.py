"""What Airflow tells us of its own life: the scheduler's start, and the end of a run, which gets its note and, if it was ended while it
waited for a person, gives its action back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from airflow.listeners import hookimpl
from airflow.sdk import DagRunState
from airflow.utils.session import create_session
from sqlalchemy.orm import object_session

from evergreen.contracts.actions import APPROVED_KINDS, DAG_KINDS, ActionKind
from evergreen.core.errors import EvergreenError
from evergreen.orchestration.lease import CLAIM_TASK
from evergreen.orchestration.process import parts
from evergreen.orchestration.records import returned
from evergreen.orchestration.warm import forks_tasks, warm

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from sqlalchemy.orm import Session

NOTHING_CLAIMED = {True: "nothing to do: the action that rang went to another run", False: "nothing was claimed: see the log of the task `claim`"}
_DAGS = frozenset(kind.value for kind in DAG_KINDS)
_ASKING = frozenset(kind.value for kind in APPROVED_KINDS)
log = structlog.get_logger(__name__)


@hookimpl
def on_starting(component: object) -> None:
    """Called in the scheduler before it forks its workers, and in every task."""
    if forks_tasks() and type(component).__name__ == "Job":
        warm()


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:
    _note(dag_run)
    _give_back(dag_run)


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:
    _note(dag_run)
    _give_back(dag_run)


def _give_back(dag_run: DagRun) -> None:
    """Somebody marked a run that waited for an answer: without this its action would wait until the long lease runs out."""
    if dag_run.dag_id not in _ASKING:
        return
    try:
        if parts().people.ask_approval.run_ended(ActionKind(dag_run.dag_id), dag_run.run_id):
            log.warning("asking_run_ended", dag=dag_run.dag_id, run=dag_run.run_id)
    except EvergreenError as error:  # the lease still runs out
        log.warning("action_not_given_back", dag=dag_run.dag_id, run=dag_run.run_id, error=str(error))


def _note(dag_run: DagRun) -> None:
    """The action and its cause, in the scheduler's own transaction (a task has no way to write it); a person's note is kept."""
    if dag_run.dag_id not in _DAGS:
        return
    session = object_session(dag_run)
    if session is not None:
        _write(session, dag_run)
        return
    with create_session(scoped=False) as own:  # `airflow dags test` has let go of the run by now
        _write(own, own.get_one(type(dag_run), dag_run.id))


def _write(session: Session, dag_run: DagRun) -> None:
    if not dag_run.note:
        claim = returned(session, dag_run.dag_id, dag_run.run_id).get(CLAIM_TASK)
        dag_run.note = claim["note"] if claim else NOTHING_CLAIMED[dag_run.state == DagRunState.SUCCESS]
