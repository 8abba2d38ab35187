"""Links on every task of the eight DAGs: to what caused the run, and to what it made in MLflow. Resolved by the API server when asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperatorLink

from evergreen.contracts.actions import DAG_KINDS
from evergreen.orchestration.lease import CLAIM_TASK
from evergreen.orchestration.process import parts

if TYPE_CHECKING:
    from airflow.models.taskinstancekey import TaskInstanceKey
    from airflow.sdk import BaseOperator

    from evergreen.orchestration.records import Returned

_DAGS = frozenset(kind.value for kind in DAG_KINDS)


class CauseLink(BaseOperatorLink):
    """From the run to the event, rule and guards that asked for it."""

    name = "Cause"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        claim = _returned(ti_key).get(CLAIM_TASK)
        return f"{parts().settings.serving.url}/actions/{claim['action_id']}/explain" if claim else ""


class MlflowLink(BaseOperatorLink):
    """From the run to the version it made, judged or changed to."""

    name = "MLflow"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        named = version_of(_returned(ti_key))
        return parts().registry.version_url(*named) if named else ""


def version_of(returned: Returned) -> tuple[str, int] | None:
    """The version the work's result names, else the one the action is about."""
    results = [result.get("model_version") for task_id, result in returned.items() if task_id != CLAIM_TASK]
    for named in (*results, returned.get(CLAIM_TASK, {}).get("target")):
        model, _, number = str(named or "").partition("@")
        if number.isdecimal():
            return model, int(number)
    return None


def _returned(ti_key: TaskInstanceKey) -> Returned:
    if ti_key.dag_id not in _DAGS:
        return {}
    from airflow.utils.session import create_session

    from evergreen.orchestration.records import returned

    with create_session(scoped=False) as session:
        return returned(session, ti_key.dag_id, ti_key.run_id)
