"""Health checks of docker-compose.yml: `ready.py mlflow|serving|dashboard|airflow-…` ends with 0 when the part does its work now.
The same probes the local stack's `status` asks."""

from __future__ import annotations

import sys

from evergreen.local_stack.readiness import airflow_beats, http_answers, mlflow_answers
from evergreen.settings import load_settings

AIRFLOW = {"airflow-api": "api", "airflow-scheduler": "scheduler", "airflow-dag-processor": "dag_processor", "airflow-triggerer": "triggerer"}


def is_ready(part: str) -> bool:
    settings = load_settings()
    if part == "mlflow":
        return mlflow_answers(settings.mlflow.tracking_uri)
    if part == "serving":
        return http_answers(f"http://127.0.0.1:{settings.serving.port}/readyz")
    if part == "dashboard":
        return http_answers(f"http://127.0.0.1:{settings.dashboard.port}/_stcore/health")
    return airflow_beats(settings.airflow.url, AIRFLOW[part], since=0)


if __name__ == "__main__":
    sys.exit(0 if is_ready(sys.argv[1]) else 1)
