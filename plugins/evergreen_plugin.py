"""What Evergreen adds to Airflow: the model loop and the dashboard in its navigation, why a run ran beside the run, links from a task to its
cause, to MLflow and to a report, a note on every run, a scheduler that forks warm tasks."""

from __future__ import annotations

from typing import ClassVar

from airflow.plugins_manager import AirflowPlugin

from evergreen.orchestration import listener
from evergreen.orchestration.links import CauseLink, MlflowLink, ReportLink
from evergreen.orchestration.loop_view import PREFIX, LoopView
from evergreen.settings import load_settings


class EvergreenPlugin(AirflowPlugin):
    name = "evergreen"
    listeners: ClassVar = [listener]
    global_operator_extra_links: ClassVar = [CauseLink(), MlflowLink(), ReportLink()]
    fastapi_apps: ClassVar = [{"name": "Evergreen", "app": LoopView(), "url_prefix": PREFIX}]
    external_views: ClassVar = [
        {"name": "Model loop", "href": f"{PREFIX}/loop", "destination": "nav", "url_route": "model-loop", "nav_top_level": True},
        {"name": "Dashboard", "href": load_settings().dashboard.url, "destination": "nav", "nav_top_level": True},
        {"name": "Why this run", "href": f"{PREFIX}/runs/{{DAG_ID}}/{{RUN_ID}}", "destination": "dag_run", "url_route": "why"},
    ]
