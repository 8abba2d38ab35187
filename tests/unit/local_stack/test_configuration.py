"""What the parts are told: endpoints, Airflow's and MLflow's variables, the supervisor's file."""

from __future__ import annotations

import configparser
import json
import pwd
import shlex
import stat
import sys
from pathlib import Path

import pytest
from confluent_kafka import Producer

from evergreen.core.errors import StackError
from evergreen.environment import child_environment
from evergreen.local_stack import airflow, mlflow
from evergreen.local_stack.context import new_context, running_context
from evergreen.local_stack.part import Part, StackContext
from evergreen.local_stack.supervision import write_configuration
from evergreen.settings import load_settings


@pytest.fixture(autouse=True)
def _no_stack_of_the_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EVERGREEN_HOME", "EVERGREEN_PORT_OFFSET"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def context(tmp_path: Path) -> StackContext:
    return new_context(tmp_path, 700)


def test_every_process_of_a_home_reads_the_same_endpoints(context: StackContext) -> None:
    settings = load_settings(context.home.path)
    assert settings.kafka.bootstrap_servers == "127.0.0.1:9792"
    assert settings.postgres.dsn.get_secret_value() == f"postgresql://app_rw:{context.credentials.app_rw}@127.0.0.1:6133/evergreen"
    assert settings.serving.url == "http://127.0.0.1:8700"
    assert stat.S_IMODE(context.home.env_file.stat().st_mode) == 0o600


def test_what_the_caller_set_reaches_every_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERGREEN_VIDEOS__REGION", "US")
    monkeypatch.setenv("EVERGREEN_SERVING__MIN_WORKERS", "3")
    new_context(tmp_path, 0)
    monkeypatch.delenv("EVERGREEN_VIDEOS__REGION")
    monkeypatch.delenv("EVERGREEN_SERVING__MIN_WORKERS")
    settings = load_settings(tmp_path)
    assert (settings.videos.region, settings.serving.min_workers) == ("US", 3)


def test_a_part_named_by_url_is_external(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERGREEN_KAFKA__BOOTSTRAP_SERVERS", "broker.example:9092")
    context = new_context(tmp_path, 0)
    assert context.external == {"kafka"}
    assert context.settings.kafka.bootstrap_servers == "broker.example:9092"
    assert context.listening("kafka") == ""
    assert context.listening("postgres") == "tcp:5433"


def test_an_external_database_needs_a_role_that_creates_databases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERGREEN_POSTGRES__DSN", "postgresql://app@db.example/evergreen")
    with pytest.raises(StackError, match="EVERGREEN_POSTGRES__ADMIN_DSN"):
        new_context(tmp_path, 0)
    monkeypatch.setenv("EVERGREEN_POSTGRES__ADMIN_DSN", "postgresql://owner@db.example:6000/evergreen")
    assert new_context(tmp_path, 0).postgres_address == "db.example:6000"


def test_no_stack_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="make up"):
        running_context(tmp_path)


def test_a_running_stack_keeps_its_ports_whatever_the_caller_says_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = new_context(tmp_path, 700)
    context.home.manifest_file.write_text(json.dumps({"processes": {}, "port_offset": 700, "external": []}))
    monkeypatch.setenv("EVERGREEN_PORT_OFFSET", "300")
    assert running_context(tmp_path).ports == context.ports


def test_a_stack_from_before_the_manifest_named_its_ports_is_found(tmp_path: Path) -> None:
    context = new_context(tmp_path, 700)
    context.home.manifest_file.write_text(json.dumps({"processes": {}, "external": []}))
    assert running_context(tmp_path).ports == context.ports


def test_airflow_is_told_everything_by_environment(context: StackContext) -> None:
    variables = airflow.stack_environment(context)
    assert variables["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].startswith("postgresql+psycopg2://airflow:")
    assert variables["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:8780/execution/"
    assert variables["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert int(variables["AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT"]) <= 60
    roles = dict(user.split(":") for user in variables["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"].split(","))
    assert roles == {"admin": "admin", "operator": "op", "viewer": "viewer"}
    doorbell = json.loads(variables["AIRFLOW_CONN_KAFKA_DEFAULT"])["extra"]
    assert (doorbell["bootstrap.servers"], doorbell["group.id"]) == ("127.0.0.1:9792", "evergreen-doorbell")
    assert (doorbell["enable.auto.commit"], doorbell["auto.offset.reset"]) == (False, "earliest")


def test_the_doorbells_dead_letters_may_be_as_large_as_any_message(context: StackContext) -> None:
    doorbell = json.loads(airflow.stack_environment(context)["AIRFLOW_CONN_KAFKA_DEFAULT"])["extra"]
    producer = Producer(doorbell | {"log_level": 0, "error_cb": lambda _: None})

    producer.produce("dead.letter", b"x" * 1_048_500, headers=[("detail", b"y" * 500)])

    assert len(producer) >= 1  # taken into its queue; its errors about the broker that is not there count too
    producer.purge()


def test_dags_are_tested_on_a_database_of_their_own(context: StackContext, tmp_path: Path) -> None:
    variables = airflow.airflow_environment(context.settings, context.credentials, airflow_home=tmp_path / "af")
    assert variables["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == f"sqlite:///{tmp_path}/af/airflow.db"
    assert variables["AIRFLOW_HOME"] == str(tmp_path / "af")


def test_airflow_knows_every_option_it_is_given(context: StackContext) -> None:
    """A renamed option would be ignored in silence."""
    import airflow as installed
    import yaml

    known = yaml.safe_load((Path(installed.__file__).parent / "config_templates" / "config.yml").read_text())
    options = {name.split("__", 2)[1:][0].lower() + "." + name.split("__", 2)[2].lower() for name in airflow.stack_environment(context) if "__" in name}
    listed = {f"{section}.{option}" for section, body in known.items() for option in body["options"]}
    assert options <= listed


def test_users_passwords_are_written_before_airflow_would_invent_and_print_them(context: StackContext) -> None:
    airflow.prepare(context, lambda _text: None)
    file = airflow.passwords_file(context.home.path)
    assert json.loads(file.read_text()) == context.credentials.airflow_users
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_mlflow_still_reads_the_variables_its_own_command_would_set(context: StackContext) -> None:
    from mlflow import environment_variables
    from mlflow.server import constants

    known = {value for name, value in vars(constants).items() if name.endswith("_ENV_VAR")} | set(dir(environment_variables))
    assert set(mlflow.environment(context)) <= known


def test_the_supervisor_keeps_no_secret_and_a_percent_sign_in_the_home(tmp_path: Path) -> None:
    context = new_context(tmp_path / "50%", 0)
    parts = [
        Part(name="one", command=("/bin/true",), probe=lambda: True, environment={"SECRET": "s3cret"}, stop_signal="INT"),
        Part(name="many", command=("/bin/true",), probe=lambda: True, socket="tcp://127.0.0.1:1", processes=3),
    ]
    write_configuration(context.home, parts)
    text = context.home.supervisor_config.read_text()
    assert "s3cret" not in text
    parsed = configparser.RawConfigParser()
    parsed.read_string(text)
    assert parsed["program:one"]["stopsignal"] == "INT"
    assert parsed["program:one"]["stdout_logfile"] == f"{context.home.path}/logs/one.log".replace("50%", "50%%")
    assert (parsed["fcgi-program:many"]["numprocs"], parsed["fcgi-program:many"]["autostart"]) == ("3", "false")
    plan = context.home.plan_file("one")
    assert json.loads(plan.read_text())["environment"]["SECRET"] == "s3cret"
    assert stat.S_IMODE(plan.stat().st_mode) == 0o600


def test_a_checkout_path_with_a_space_and_a_percent_sign_is_one_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/home/my user/50% 'done'/.venv/bin/python")
    context = new_context(tmp_path / "my home", 0)
    write_configuration(context.home, [Part(name="one", command=("/bin/true",), probe=lambda: True)])
    parsed = configparser.RawConfigParser()
    parsed.read_string(context.home.supervisor_config.read_text())
    expanded = parsed["program:one"]["command"] % {}
    assert shlex.split(expanded) == [sys.executable, "-m", "evergreen.local_stack.launch", str(context.home.path), "one"]


@pytest.mark.parametrize(("name", "expected"), [("ada", "ada"), (None, "evergreen")])
def test_a_uid_without_an_account_has_a_name_for_the_parts_that_need_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str | None, expected: str
) -> None:
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    if name is not None:
        monkeypatch.setenv("USER", name)

    def no_account(_uid: int) -> None:
        raise KeyError("uid not found")

    monkeypatch.setattr(pwd, "getpwuid", no_account)
    given = child_environment(tmp_path)
    assert (given["USER"], given["LOGNAME"]) == (expected, expected)
