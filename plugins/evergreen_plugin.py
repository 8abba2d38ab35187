"""What Evergreen adds to Airflow: links from a task to its cause and to MLflow, a note on every run, a scheduler that forks warm tasks."""

from __future__ import annotations

from typing import ClassVar

from airflow.plugins_manager import AirflowPlugin

from evergreen.orchestration import listener
from evergreen.orchestration.links import CauseLink, MlflowLink


class EvergreenPlugin(AirflowPlugin):
    name = "evergreen"
    listeners: ClassVar = [listener]
    global_operator_extra_links: ClassVar = [CauseLink(), MlflowLink()]
