"""Links on every task of the eight DAGs: to what caused the run, to what it made in MLflow and to the report of what it found. Resolved by the
API server when asked."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

from evergreen.contracts.actions import DAG_KINDS
from evergreen.orchestration.lease import CLAIM_TASK
from evergreen.orchestration.process import parts

if TYPE_CHECKING:
    from airflow.models.taskinstancekey import TaskInstanceKey
    from airflow.sdk import BaseOperator

    from evergreen.orchestration.records import Returned

DAGS = frozenset(kind.value for kind in DAG_KINDS)


class CauseLink(BaseOperatorLink):
    """From the run to the event, rule and guards that asked for it."""

    name = "Cause"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        claim = returned_of(ti_key.dag_id, ti_key.run_id).get(CLAIM_TASK)
        return cause_url(claim["action_id"]) if claim else ""


class MlflowLink(BaseOperatorLink):
    """From the run to the version it made, judged or changed to."""

    name = "MLflow"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        named = version_of(returned_of(ti_key.dag_id, ti_key.run_id))
        return parts().registry.version_url(*named) if named else ""


class ReportLink(BaseOperatorLink):
    """From the run to the report of the drift it found, or of the version it made or judged."""

    name = "Report"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        return report_url(returned_of(ti_key.dag_id, ti_key.run_id))


def cause_url(action_id: str) -> str:
    return f"{parts().settings.dashboard.url}/decisions?action={quote(action_id)}"


def report_url(returned: Returned) -> str:
    dashboard = parts().settings.dashboard.url
    reports = [report for result in returned.values() for report in result.get("reports", ())]
    for report in sorted(reports, key=lambda one: -len(one["affected"])):
        return f"{dashboard}/drift?report={quote(report['report_id'])}"
    named = version_of(returned)
    return f"{dashboard}/models?model={quote(named[0])}&version={named[1]}" if named else ""


def version_of(returned: Returned) -> tuple[str, int] | None:
    """The version the work's result names, else the one the action is about."""
    results = [result.get("model_version") for task_id, result in returned.items() if task_id != CLAIM_TASK]
    for named in (*results, returned.get(CLAIM_TASK, {}).get("target")):
        model, _, number = str(named or "").partition("@")
        if number.isdecimal():
            return model, int(number)
    return None


def returned_of(dag_id: str, run_id: str) -> Returned:
    """What the tasks of one of our runs returned; of any other run nothing."""
    if dag_id not in DAGS:
        return {}
    from airflow.utils.session import create_session

    from evergreen.orchestration.records import returned

    with create_session(scoped=False) as session:
        return returned(session, dag_id, run_id)
