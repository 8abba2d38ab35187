"""How each part of the running stack is asked whether it does its work. The same probes `evergreen status` and the containers ask."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

from evergreen.bootstrap import Parts
from evergreen.contracts.actions import SeverityWord
from evergreen.local_stack.home import Home
from evergreen.local_stack.readiness import AIRFLOW_COMPONENTS, airflow_beats, http_answers, kafka_acknowledges, mlflow_answers, postgres_answers, redis_answers
from evergreen.local_stack.workers import any_runs
from evergreen.ports.monitoring import LoopFigures
from evergreen.services.quiescence import INDEXER_DATA_GROUP, INDEXER_RECORDS_GROUP, INTAKE_GROUP, RECOMMENDER_GROUP
from evergreen.services.watch_parts import Probe
from evergreen.settings import Settings

SEVERITIES: dict[str, SeverityWord] = {
    "postgres": "critical",  # nothing is decided or recorded without it
    "kafka": "critical",
    "serving": "critical",
    "intake": "critical",
    "indexer": "high",
    "recommender": "high",
    "redis": "high",
    "mlflow": "high",
    "airflow-api": "high",
    "airflow-scheduler": "high",
    "airflow-dag-processor": "high",
    "airflow-triggerer": "high",
}
"""Every part there is a probe for, and what its failure is worth."""
_GROUPS = {"intake": (INTAKE_GROUP,), "indexer": (INDEXER_DATA_GROUP, INDEXER_RECORDS_GROUP), "recommender": (RECOMMENDER_GROUP,)}


def expected_parts(settings: Settings) -> list[str]:
    """What was started here, or is used from elsewhere; without a local stack what the settings say, else everything."""
    manifest = Home(settings.home).manifest_file
    if manifest.exists():
        said = json.loads(manifest.read_text())
        started = {*said["processes"], *said["external"]}
        return [name for name in SEVERITIES if name in started or (name in AIRFLOW_COMPONENTS and "airflow" in started)]
    return [name for name in SEVERITIES if not settings.monitor.parts or name in settings.monitor.parts]


def probes(parts: Parts, figures: Callable[[], LoopFigures]) -> list[Probe]:
    return [Probe(name, SEVERITIES[name], _fault(parts, name, figures)) for name in expected_parts(parts.settings)]


def _fault(parts: Parts, name: str, figures: Callable[[], LoopFigures]) -> Callable[[], str | None]:
    settings = parts.settings
    if name in AIRFLOW_COMPONENTS:
        return partial(_unless, partial(airflow_beats, settings.airflow.url, AIRFLOW_COMPONENTS[name], 0.0), "Airflow has no fresh heartbeat of it")
    if name in _GROUPS:
        return partial(_worker_fault, parts, name, figures)
    answers: dict[str, tuple[Callable[[], bool], str]] = {
        "postgres": (partial(postgres_answers, settings.postgres.dsn.get_secret_value()), "no query is answered"),
        "kafka": (partial(kafka_acknowledges, settings.kafka.bootstrap_servers), "no message is acknowledged"),
        "redis": (partial(redis_answers, settings.redis.url.get_secret_value()), "no command is answered"),
        "mlflow": (partial(mlflow_answers, settings.mlflow.tracking_uri), "no search is answered"),
        "serving": (partial(http_answers, f"{settings.serving.url}/readyz"), "no worker is ready"),
    }
    return partial(_unless, *answers[name])


def _unless(answers: Callable[[], bool], fault: str) -> str | None:
    return None if answers() else fault


def _worker_fault(parts: Parts, name: str, figures: Callable[[], LoopFigures]) -> str | None:
    """A worker without a port: its process where that is ours to see, and whether what waits for it is taken."""
    settings = parts.settings
    if Home(settings.home).manifest_file.exists() and not any_runs(Home(settings.home), name):
        return "its process is not running, or not ready"
    stuck = next((fault for group in _GROUPS[name] if (fault := parts.monitor.backlogs.fault(group))), None)
    if stuck is None and name == "intake" and parts.monitor.snapshot.behind and figures().oldest_unsent.total_seconds() > settings.monitor.unsent_seconds:
        return f"the relay does not send: {figures().unsent} outbox rows wait, the oldest for {figures().oldest_unsent.total_seconds():.0f} s"
    return stuck
