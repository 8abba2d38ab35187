"""Ready means: it did its work when asked. One probe per technology; none hangs, none raises for a part that is merely not there."""

from __future__ import annotations

import json
import logging
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from evergreen.local_stack.home import Home

PROBE_SECONDS = 3.0
PROBE_TOPIC = "evergreen.probe"
AIRFLOW_COMPONENTS = {"airflow-api": "api", "airflow-scheduler": "scheduler", "airflow-dag-processor": "dag_processor", "airflow-triggerer": "triggerer"}
"""Part -> what Airflow's health endpoint calls it."""

_silent = logging.getLogger("evergreen.local_stack.probe")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


def mark_ready(home: Path, service: str) -> None:
    """Called by a worker once it consumes: `status` shows it healthy from now on. Its launcher takes the mark away at each start."""
    file = Home(home).ready_file(service)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()


def kafka_acknowledges(servers: str) -> bool:
    """A message is written and acknowledged (the topic is created when it is not there)."""
    from confluent_kafka import KafkaException, Producer
    from confluent_kafka.admin import AdminClient, NewTopic

    delivered: list[bool] = []
    config = {"bootstrap.servers": servers, "socket.timeout.ms": 2000, "message.timeout.ms": 2000, "logger": _silent, "log_level": 0}
    try:
        admin = AdminClient({key: value for key, value in config.items() if key != "message.timeout.ms"})
        if PROBE_TOPIC not in admin.list_topics(timeout=PROBE_SECONDS).topics:
            new = NewTopic(PROBE_TOPIC, num_partitions=1, replication_factor=1, config={"retention.ms": "3600000", "segment.bytes": str(1024 * 1024)})
            for created in admin.create_topics([new], operation_timeout=PROBE_SECONDS).values():
                created.result(timeout=PROBE_SECONDS)
        producer = Producer(config)
        producer.produce(PROBE_TOPIC, b"ready", callback=lambda error, _message: delivered.append(error is None))
        producer.flush(PROBE_SECONDS)
    except KafkaException:
        return False
    return delivered == [True]


def postgres_answers(dsn: str) -> bool:
    return _postgres_says(dsn, "SELECT true")


def _postgres_says(dsn: str, query: str, values: tuple[object, ...] = ()) -> bool:
    """Whether the query's one value is true; False where nothing answers."""
    import psycopg2

    try:
        connection = psycopg2.connect(dsn, connect_timeout=int(PROBE_SECONDS))
    except psycopg2.Error:
        return False
    try:
        with connection.cursor() as cursor:
            cursor.execute(query, values)
            return cursor.fetchone() == (True,)
    except psycopg2.Error:
        return False
    finally:
        connection.close()


def redis_answers(url: str) -> bool:
    import redis

    try:
        with redis.Redis.from_url(url, socket_timeout=PROBE_SECONDS, socket_connect_timeout=PROBE_SECONDS) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def get_json(url: str, body: dict[str, Any] | None = None) -> Any:
    """The parsed answer, the text where it is not JSON, or None where nothing (good) answers."""
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data=data, headers={"Content-Type": "application/json"})  # noqa: S310 - loopback http, built here
    try:
        with urlopen(request, timeout=PROBE_SECONDS) as answer:  # noqa: S310
            text = answer.read().decode(errors="replace")
    except (URLError, OSError, ValueError):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def mlflow_answers(url: str) -> bool:
    """It is up and its database answers a search."""
    if get_json(f"{url}/health") is None:
        return False
    found = get_json(f"{url}/api/2.0/mlflow/experiments/search", {"max_results": 1})
    return isinstance(found, dict)


def airflow_beats(url: str, component: str, since: float) -> bool:
    """The component's last heartbeat is fresh (Airflow's own bound) and not of its previous life (`since`: its start, seconds since 1970)."""
    health = get_json(f"{url}/api/v2/monitor/health")
    if not isinstance(health, dict):
        return False
    if component == "api":
        # The first call builds what tasks talk to (4 s of processor time): it is for the start to pay, not for the first task.
        return (health.get("metadatabase") or {}).get("status") == "healthy" and get_json(f"{url}/execution/health") is not None
    about = health.get(component) or {}
    beat = about.get(f"latest_{component}_heartbeat")
    return about.get("status") == "healthy" and beat is not None and datetime.fromisoformat(beat).timestamp() >= since


def doorbells_watched(dsn: str, dags: int) -> bool:
    """Every DAG is known, and whoever is not paused has a trigger at work: a doorbell rung earlier would be missed until the sweeper rings again.

    `dsn`: of Airflow's own database."""
    query = """SELECT (SELECT count(*) FROM dag WHERE NOT is_stale) >= %s AND NOT EXISTS (
                   SELECT FROM dag JOIN dag_schedule_asset_reference USING (dag_id)
                   LEFT JOIN asset_watcher USING (asset_id) LEFT JOIN trigger ON trigger.id = asset_watcher.trigger_id
                   WHERE NOT is_paused AND NOT is_stale AND trigger.triggerer_id IS NULL)"""
    return _postgres_says(dsn, query, (dags,))


def http_answers(url: str) -> bool:
    return get_json(url) is not None
