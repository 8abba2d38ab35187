"""What must happen once between two parts: databases, schemas, topics. The parts that need a step wait for its file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec

from evergreen.core.errors import StackError
from evergreen.environment import child_environment
from evergreen.local_stack import airflow, mlflow, postgres
from evergreen.local_stack.part import StackContext

COMMAND_SECONDS = 300


@dataclass(frozen=True)
class Step:
    name: str
    needs: tuple[str, ...]
    """Parts that must be ready and steps that must be done before."""
    run: Callable[[StackContext], None]
    served: tuple[str, ...]
    """The parts it is for: without any of them it is left out."""


def _schema(context: StackContext) -> None:
    from evergreen import migrations

    migrations.upgrade(context.settings.postgres.admin_dsn.get_secret_value())


def _accounts(context: StackContext) -> None:
    """Who may sign in to serving: made once, then theirs."""
    from evergreen.bootstrap import Parts

    parts = Parts(context.settings)
    parts.access.manage.ensure(context.credentials.serving_accounts)
    parts.store.close()


def _topics(context: StackContext) -> None:
    if find_spec("evergreen.adapters.kafka_admin") is None:
        return
    from evergreen.adapters.kafka_admin import ensure_topics

    ensure_topics(context.settings.kafka.bootstrap_servers, context.settings.kafka.replication_factor)


def _mlflow(context: StackContext) -> None:
    """The server makes its tables in an empty database before it listens; only a newer version has something to migrate."""
    stamp = context.home.stamp_file("mlflow")
    if stamp.exists() and stamp.read_text() != version("mlflow"):
        _command(context, "MLflow's database", ["-m", "mlflow", "db", "upgrade", mlflow.database_url(context)], {})
    stamp.write_text(version("mlflow"))


def _airflow(context: StackContext) -> None:
    stamp = context.home.stamp_file("airflow")
    if not stamp.exists() or stamp.read_text() != version("apache-airflow"):
        _command(context, "Airflow's database", ["-m", "airflow", "db", "migrate"], airflow.stack_environment(context))
    stamp.write_text(version("apache-airflow"))


def _command(context: StackContext, what: str, arguments: list[str], environment: dict[str, str]) -> None:
    log = context.home.logs / "setup.log"
    with log.open("ab") as output:
        done = subprocess.run(
            [sys.executable, *arguments],
            env=child_environment(context.home.path) | environment | {"EVERGREEN_SERVICE": "setup"},
            cwd=context.home.path,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    if done.returncode:
        raise StackError(f"{what} cannot be brought to the installed version; see {log}")


_DATABASE_USERS = ("mlflow", *airflow.COMPONENTS)

STEPS = (
    Step("databases", ("postgres",), postgres.create_databases, ("postgres", *_DATABASE_USERS)),
    Step("schema", ("databases",), _schema, ("postgres",)),
    Step("accounts", ("schema",), _accounts, ("serving",)),
    Step("topics", ("kafka",), _topics, ("kafka",)),
    Step("mlflow", ("databases",), _mlflow, ("mlflow",)),
    Step("airflow", ("databases",), _airflow, tuple(airflow.COMPONENTS)),
)
