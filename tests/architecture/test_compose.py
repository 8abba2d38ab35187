"""docker-compose.yml describes the processes of the local stack with the settings of the local stack.

No container engine is needed: the file is held to the compose schema, to `Settings` and to what the local stack tells its parts."""

from __future__ import annotations

import json
import os
import re
import runpy
import stat
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from evergreen.environment import CHECKOUT
from evergreen.local_stack import airflow, kafka, mlflow, workers
from evergreen.local_stack.context import new_context
from evergreen.local_stack.part import StackContext
from evergreen.local_stack.ports import BASE
from evergreen.settings import Settings

COMPOSE = CHECKOUT / "docker-compose.yml"
SCHEMA = CHECKOUT / "deploy" / "compose" / "compose-spec.schema.json"
GENERATOR = CHECKOUT / "deploy" / "compose" / "generate_env.py"
ONE_SHOT = {"schema", "topics", "airflow-migrate"}
_VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<name>[A-Z0-9_]+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\})")


class Missing(Exception):
    pass


def interpolate(text: str, variables: dict[str, str]) -> str:

    def value(found: re.Match[str]) -> str:
        if found["escaped"]:
            return "$"
        given = variables.get(found["name"], "")
        if not given and found["kind"] == "?":
            raise Missing(f"{found['name']}: {found['rest']}")
        return given or (found["rest"] or "" if found["kind"] == "-" else "")

    return _VARIABLE.sub(value, text)


def read_env(file: Path) -> dict[str, str]:
    lines = file.read_text().splitlines()
    return {name: value.strip("'") for name, _, value in (line.partition("=") for line in lines)}


def filled(node: Any, variables: dict[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: filled(value, variables) for key, value in node.items()}
    if isinstance(node, list):
        return [filled(value, variables) for value in node]
    return interpolate(node, variables) if isinstance(node, str) else node


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    file = tmp_path_factory.mktemp("compose") / ".env"
    runpy.run_path(str(GENERATOR))["complete"](file)
    return read_env(file)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return loaded


@pytest.fixture(scope="module")
def services(document: dict[str, Any], secrets: dict[str, str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = filled(document["services"], secrets)
    return found


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackContext:
    for name in [name for name in os.environ if name.startswith("EVERGREEN_")]:  # noqa: TID251 - a test's own environment
        monkeypatch.delenv(name)
    return new_context(tmp_path / "home")


def test_the_file_follows_the_compose_schema(document: dict[str, Any]) -> None:
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate(document, schema, cls=jsonschema.Draft7Validator)


def test_the_schema_refuses_a_misspelt_key(document: dict[str, Any]) -> None:
    schema = json.loads(SCHEMA.read_text())
    broken = document | {"services": {"kafka": {"imagee": "apache/kafka"}}}
    with pytest.raises(jsonschema.ValidationError, match="imagee"):
        jsonschema.validate(broken, schema, cls=jsonschema.Draft7Validator)


def test_every_part_of_the_local_stack_is_a_service(services: dict[str, Any], local: StackContext) -> None:
    own = [part.name for part in (*workers.worker_parts(local), *workers.serving_parts(local), *workers.dashboard_parts(local))]
    parts = {"kafka", "postgres", "redis", "mlflow", *airflow.COMPONENTS, *own}
    assert parts <= set(services)


def test_without_secrets_the_start_is_refused_and_says_what_to_do(document: dict[str, Any]) -> None:
    with pytest.raises(Missing, match=re.escape("run python3 deploy/compose/generate_env.py")):
        filled(document["services"], {})


def test_each_generated_secret_is_asked_for_and_none_has_a_default(secrets: dict[str, str]) -> None:
    text = COMPOSE.read_text()
    asked = {found["name"] for found in _VARIABLE.finditer(text) if found["kind"] == "?"}
    assert asked == set(secrets)
    assert not [name for name in secrets if f"${{{name}:-" in text or f"${{{name}}}" in text]
    assert not re.search(r"PASSWORD: *[\"']?[a-z0-9]+[\"']?$", text, re.MULTILINE)


def test_secrets_are_generated_once_and_for_this_user_only(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    complete = runpy.run_path(str(GENERATOR))["complete"]
    file.write_text("DATA=/somewhere\nAPP_RW_PASSWORD=kept\nREDIS_PASSWORD=\n")
    added = complete(file)
    first = file.read_text()
    assert "REDIS_PASSWORD" in added
    assert "APP_RW_PASSWORD" not in added
    assert {"DATA": "/somewhere", "APP_RW_PASSWORD": "kept"}.items() <= read_env(file).items()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert complete(file) == []
    assert file.read_text() == first
    assert set(json.loads(read_env(file)["AIRFLOW_PASSWORDS"])) == {"admin", "operator", "viewer"}


def setting_names(model: Any, prefix: str = "EVERGREEN_") -> set[str]:
    names: set[str] = set()
    for name, about in model.model_fields.items():
        nested = getattr(about.annotation, "model_fields", None)
        names |= setting_names(about.annotation, f"{prefix}{name.upper()}__") if nested else {prefix + name.upper()}
    return names


def test_every_setting_it_names_exists(services: dict[str, Any]) -> None:
    named = {name for service in services.values() for name in service.get("environment", {}) if name.startswith("EVERGREEN_")}
    assert set() < named <= setting_names(Settings)


def test_each_of_our_processes_reads_the_names_the_local_stack_writes(services: dict[str, Any], local: StackContext) -> None:
    not_everybodys = {"EVERGREEN_PORT_OFFSET", "EVERGREEN_CACHE", "EVERGREEN_POSTGRES__ADMIN_DSN", "EVERGREEN_AUTH__DASHBOARD_SECRET"}
    written = set(read_env(local.home.env_file)) - not_everybodys
    for name in ("intake", "indexer", "recommender", "monitor", "serving", *airflow.COMPONENTS):
        assert written <= set(services[name]["environment"]), name
    holders = {name for name, service in services.items() if "EVERGREEN_POSTGRES__ADMIN_DSN" in service.get("environment", {})}
    assert holders == {"schema"}


AIRFLOW_DIFFERS = {  # addresses, paths and secrets
    "AIRFLOW_HOME",
    "AIRFLOW_CONN_KAFKA_DEFAULT",
    "AIRFLOW__API__BASE_URL",
    "AIRFLOW__API__HOST",
    "AIRFLOW__API__SECRET_KEY",
    "AIRFLOW__API_AUTH__JWT_SECRET",
    "AIRFLOW__CORE__DAGS_FOLDER",
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
    "AIRFLOW__CORE__FERNET_KEY",
    "AIRFLOW__CORE__PLUGINS_FOLDER",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
}


@pytest.mark.parametrize("name", [*airflow.COMPONENTS, "airflow-migrate"])
def test_airflow_is_told_the_same(services: dict[str, Any], local: StackContext, name: str) -> None:
    here = airflow.stack_environment(local)
    there = {key: value for key, value in services[name]["environment"].items() if key.startswith("AIRFLOW_") and key != "AIRFLOW_PASSWORDS"}
    assert set(there) == set(here)
    assert {key: there[key] for key in here if key not in AIRFLOW_DIFFERS} == {key: value for key, value in here.items() if key not in AIRFLOW_DIFFERS}


def test_the_doorbell_connection_differs_in_its_address_only(services: dict[str, Any], local: StackContext) -> None:
    here = json.loads(airflow.stack_environment(local)["AIRFLOW_CONN_KAFKA_DEFAULT"])
    there = json.loads(services["airflow-triggerer"]["environment"]["AIRFLOW_CONN_KAFKA_DEFAULT"])
    assert there == here | {"extra": here["extra"] | {"bootstrap.servers": "kafka:29092"}}


KAFKA_DIFFERS = {"controller.quorum.voters", "listeners", "advertised.listeners", "listener.security.protocol.map", "log.dirs"}
KAFKA_OF_SMALL_MACHINES = {"num.network.threads", "num.io.threads", "log.cleaner.dedupe.buffer.size", "log.index.size.max.bytes"}


def test_kafka_is_told_the_same(services: dict[str, Any], local: StackContext) -> None:
    here = dict(line.split("=", 1) for line in kafka._properties(local).splitlines())
    there = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value for name, value in services["kafka"]["environment"].items() if name.startswith("KAFKA_")
    }
    shared = set(here) - KAFKA_DIFFERS - KAFKA_OF_SMALL_MACHINES
    assert {name: there.get(name) for name in shared} == {name: here[name] for name in shared}
    locked = re.search(r"org\.apache\.kafka:kafka_2\.13:([0-9.]+)$", (CHECKOUT / "deploy" / "local" / "kafka.lock").read_text(), re.MULTILINE)
    assert locked is not None
    assert services["kafka"]["image"] == f"apache/kafka:{locked[1]}"
    assert services["kafka"]["environment"]["CLUSTER_ID"] == kafka.CLUSTER_ID


def test_mlflow_is_told_the_same(services: dict[str, Any], local: StackContext) -> None:
    here, there = mlflow.environment(local), services["mlflow"]["environment"]
    assert set(here) <= set(there)
    shared = set(here) - {"_MLFLOW_SERVER_FILE_STORE", "_MLFLOW_SERVER_REGISTRY_STORE", "_MLFLOW_SERVER_ARTIFACT_DESTINATION", "MLFLOW_FLASK_SERVER_SECRET_KEY"}
    assert {name: there[name] for name in shared} == {name: here[name] for name in shared}


def test_databases_are_named_with_the_driver_that_is_installed(services: dict[str, Any], local: StackContext) -> None:
    """SQLAlchemy's default driver for `postgresql:` is another one."""
    pairs = [
        (mlflow.environment(local)["_MLFLOW_SERVER_FILE_STORE"], services["mlflow"]["environment"]["_MLFLOW_SERVER_FILE_STORE"]),
        (mlflow.environment(local)["_MLFLOW_SERVER_REGISTRY_STORE"], services["mlflow"]["environment"]["_MLFLOW_SERVER_REGISTRY_STORE"]),
        (airflow.database_url(local), services["airflow-scheduler"]["environment"]["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]),
    ]
    assert {(here.split(":")[0], there.split(":")[0]) for here, there in pairs} == {("postgresql+psycopg2", "postgresql+psycopg2")}


def test_postgres_has_the_same_roles_and_databases() -> None:
    from evergreen.local_stack.postgres import DATABASES

    script = (CHECKOUT / "deploy" / "compose" / "postgres" / "10-databases.sh").read_text()
    assert dict(re.findall(r"CREATE DATABASE (\w+) OWNER (\w+);", script)) == DATABASES
    assert set(re.findall(r"CREATE ROLE (\w+) LOGIN PASSWORD", script)) == {"airflow", "mlflow", "app_rw", "app_ro"}


def test_ports_are_the_local_ones_and_on_loopback(services: dict[str, Any]) -> None:
    published = {name: port for name, service in services.items() for port in service.get("ports", [])}
    assert all(port.startswith("127.0.0.1:") for port in published.values())
    assert {name: int(port.split(":")[1]) for name, port in published.items()} == {
        name: BASE[name] for name in ("kafka", "postgres", "redis", "mlflow", "airflow-api", "serving", "dashboard")
    }


def test_what_must_be_done_once_is_done_before_what_needs_it(services: dict[str, Any]) -> None:
    for name in ("intake", "indexer", "recommender", "monitor", "serving", *airflow.COMPONENTS):
        for step in ("schema", "topics"):
            assert services[name]["depends_on"][step] == {"condition": "service_completed_successfully"}, name
    for name in airflow.COMPONENTS:
        assert services[name]["depends_on"]["airflow-migrate"] == {"condition": "service_completed_successfully"}
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            assert needed in services, f"{name} needs {needed}"
            expected = "service_completed_successfully" if needed in ONE_SHOT else "service_healthy"
            assert how["condition"] == expected, f"{name} -> {needed}"


def test_the_dashboard_holds_its_own_secret_alone_keeps_nothing_and_reaches_serving_alone(services: dict[str, Any], secrets: dict[str, str]) -> None:
    dashboard = services["dashboard"]
    told = json.dumps(dashboard)
    assert [name for name, secret in secrets.items() if secret in told] == ["DASHBOARD_SECRET"]
    assert {name for name, service in services.items() if secrets["DASHBOARD_SECRET"] in json.dumps(service)} == {"dashboard", "serving"}
    assert (dashboard["volumes"], dashboard["read_only"], dashboard["networks"]) == ([], True, ["people"])
    beside = {name for name, service in services.items() if "people" in service.get("networks", [])}
    assert beside == {"dashboard", "serving"}
    assert "default" in services["serving"]["networks"]
    assert dashboard["environment"]["EVERGREEN_DASHBOARD__SERVING_URL"] == "http://serving:8000"


def test_every_lasting_part_has_a_health_check(services: dict[str, Any]) -> None:
    assert {name for name, service in services.items() if "healthcheck" not in service} == ONE_SHOT | {"tools"}
