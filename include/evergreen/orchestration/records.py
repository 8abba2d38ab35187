"""What a run's tasks returned, read from Airflow's own database: for its own processes (scheduler, API server), never for a task."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow.models.xcom import XCOM_RETURN_KEY, XComModel

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

Returned = dict[str, dict[str, Any]]


def returned(session: Session, dag_id: str, run_id: str) -> Returned:
    """Task id -> the dictionary the task returned, of those that returned one."""
    query = XComModel.get_many(run_id=run_id, key=XCOM_RETURN_KEY, dag_ids=dag_id).with_only_columns(XComModel.task_id, XComModel.value)
    values = {row.task_id: json.loads(row.value) if isinstance(row.value, str) else row.value for row in session.execute(query)}
    return {task_id: value for task_id, value in values.items() if isinstance(value, dict)}
