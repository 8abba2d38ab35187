"""Airflow's four processes and the one place that configures them, by environment only."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from evergreen.environment import CHECKOUT
from evergreen.local_stack import postgres
from evergreen.local_stack.credentials import Credentials
from evergreen.local_stack.home import Home, write_private
from evergreen.local_stack.jars import Progress
from evergreen.local_stack.part import Part, StackContext
from evergreen.local_stack.processes import recorded
from evergreen.local_stack.readiness import AIRFLOW_COMPONENTS, airflow_beats, doorbells_watched
from evergreen.settings import Settings

ROLES = {"admin": "admin", "operator": "op", "viewer": "viewer"}
COMPONENTS = AIRFLOW_COMPONENTS
PARALLEL_TASKS = 4
TUNING = {
    "SCHEDULER": {
        "SCHEDULER_IDLE_SLEEP_TIME": "0.1",
        "TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
        "ORPHANED_TASKS_CHECK_INTERVAL": "30",
        "TASK_QUEUED_TIMEOUT": "120",
        "TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "30",
        "USE_JOB_SCHEDULE": "True",
    },
    "DAG_PROCESSOR": {"REFRESH_INTERVAL": "30", "MIN_FILE_PROCESS_INTERVAL": "300", "PARSING_PROCESSES": "2", "PRINT_STATS_INTERVAL": "300"},
    # Above this many waiting messages the shared stream would throw them away and read them again, for ever.
    # The eight watchers come one after the other at the first start: a doorbell rung before the last one listens would be missed until the sweeper.
    "TRIGGERER": {"SHARED_STREAM_SUBSCRIBER_QUEUE_SIZE": "100000", "SHARED_STREAM_COHORT_GRACE_PERIOD": "3"},
    "LOGGING": {"COLORED_CONSOLE_LOG": "False"},
}
"""For answers within a second or two and little processor time on two cores."""


def passwords_file(home: Path) -> Path:
    return home / "airflow" / "passwords.json"


def airflow_environment(settings: Settings, credentials: Credentials, *, airflow_home: Path | None = None, database_url: str | None = None) -> dict[str, str]:
    """Everything Airflow is told, as environment variables.

    `airflow_home`: default `<home>/airflow`. `database_url`: SQLAlchemy URL of the metadata database, default a SQLite file in `airflow_home`
    (for `airflow dags test`, which must not share a database with a live scheduler)."""
    airflow_home = airflow_home or settings.home / "airflow"
    port = str(urlsplit(settings.airflow.url).port or 80)
    core = {
        "DAGS_FOLDER": str(CHECKOUT / "dags"),
        "PLUGINS_FOLDER": str(CHECKOUT / "plugins"),
        "LOAD_EXAMPLES": "False",
        "EXECUTOR": "LocalExecutor",
        "PARALLELISM": str(PARALLEL_TASKS),
        "FERNET_KEY": credentials.airflow_fernet_key,
        "DAGS_ARE_PAUSED_AT_CREATION": "False",
        "HOSTNAME_CALLABLE": "socket.gethostname",  # the default asks a name server, which an offline machine has not
        "EXECUTION_API_SERVER_URL": f"{settings.airflow.url}/execution/",
        "SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:{ROLES.get(user, 'viewer')}" for user in credentials.airflow_users),
        "SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords_file(settings.home)),
        "MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "5",
    }
    api = {"HOST": "127.0.0.1", "PORT": port, "BASE_URL": settings.airflow.url, "WORKERS": "1", "SECRET_KEY": credentials.airflow_secret_key}
    sections = TUNING | {
        "CORE": core,
        "DATABASE": {"SQL_ALCHEMY_CONN": database_url or f"sqlite:///{airflow_home}/airflow.db"},
        "API": api,
        "API_AUTH": {"JWT_SECRET": credentials.airflow_jwt_secret, "JWT_ISSUER": "evergreen"},
    }
    variables = {f"AIRFLOW__{section}__{option}": value for section, options in sections.items() for option, value in options.items()}
    return variables | {"AIRFLOW_HOME": str(airflow_home), "AIRFLOW_CONN_KAFKA_DEFAULT": _doorbell_connection(settings)}


def _doorbell_connection(settings: Settings) -> str:
    from evergreen.adapters.kafka_admin import DEAD_LETTER_PRODUCER_BYTES

    client = {
        "bootstrap.servers": settings.kafka.bootstrap_servers,
        "group.id": "evergreen-doorbell",
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        # A killed triggerer leaves its place in the group after this: until then the next one hears nothing.
        "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 1500,
        # Its dead letters go out through the same connection: one as large as the topic takes, with its headers, would be refused and come again for ever.
        "message.max.bytes": DEAD_LETTER_PRODUCER_BYTES,
    }
    return json.dumps({"conn_type": "kafka", "extra": client})


def database_url(context: StackContext) -> str:
    return postgres.sqlalchemy_url(context, "airflow", context.credentials.airflow_db, "airflow")


def stack_environment(context: StackContext) -> dict[str, str]:
    return airflow_environment(context.settings, context.credentials, database_url=database_url(context))


def prepare(context: StackContext, _progress: Progress) -> None:
    """Airflow's home and the users' passwords, which it would otherwise invent and print."""
    file = passwords_file(context.home.path)
    file.parent.mkdir(exist_ok=True)
    write_private(file, json.dumps(context.credentials.airflow_users))


def _beats(home: Home, service: str, url: str) -> bool:
    process = recorded(home.pid_file(service))
    return process is not None and airflow_beats(url, COMPONENTS[service], process.create_time())


def _listens(home: Home, service: str, url: str, dsn: str) -> bool:
    return _beats(home, service, url) and doorbells_watched(dsn, dags=len(list((CHECKOUT / "dags").glob("*.py"))))


def parts(context: StackContext) -> list[Part]:
    """One process each: the scheduler's and triggerer's log servers are left out, since the API server reads the same files."""
    url = context.settings.airflow.url
    airflow = (sys.executable, "-m", "airflow")
    commands: dict[str, tuple[str, ...]] = {
        "airflow-api": (*airflow, "api-server"),
        "airflow-scheduler": (*airflow, "scheduler", "--skip-serve-logs"),
        "airflow-dag-processor": (*airflow, "dag-processor"),
        "airflow-triggerer": (*airflow, "triggerer", "--skip-serve-logs"),
    }
    probes: dict[str, Callable[[], bool]] = {name: partial(_beats, context.home, name, url) for name in commands}
    probes["airflow-triggerer"] = partial(
        _listens, context.home, "airflow-triggerer", url, postgres.dsn(context, "airflow", context.credentials.airflow_db, "airflow")
    )
    return [
        Part(
            name=name,
            command=command,
            environment=stack_environment(context),
            after=(context.listening("postgres"), context.step("airflow")),
            probe=probes[name],
            url=url if name == "airflow-api" else None,
            settle_seconds=20,
            stop_seconds=15,
        )
        for name, command in commands.items()
    ]
