"""The real stack: comes up, comes back, keeps its data, leaves nothing; and says clearly what keeps it from starting."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest
import redis
from rich.console import Console

from evergreen.core.errors import StackError
from evergreen.environment import child_environment
from evergreen.local_stack.home import Home
from evergreen.local_stack.launch import LaunchPlan
from evergreen.local_stack.lock import StartUnderWay, start_lock
from evergreen.local_stack.ports import Ports, is_free
from evergreen.local_stack.processes import await_true, of_home, recorded
from evergreen.local_stack.progress import StartProgress
from evergreen.local_stack.start import start
from evergreen.local_stack.status import ServiceStatus, stack_status
from evergreen.local_stack.stop import stop
from evergreen.local_stack.supervision import ANSWER_SECONDS
from evergreen.local_stack.testing import port_offset, short_home, stack
from evergreen.settings import Settings

pytestmark = pytest.mark.connected


@pytest.fixture(scope="module")
def small() -> Iterator[Settings]:
    """A stack of two parts that start in a second."""
    with stack({"postgres", "redis"}) as settings:
        yield settings


def services(settings: Settings) -> dict[str, ServiceStatus]:
    return stack_status(settings.home).services


def states(home: Path) -> dict[str, str]:
    try:
        return {name: status.state for name, status in stack_status(home).services.items()}
    except StackError:
        return {}


def evergreen(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "evergreen.cli.main", *arguments]
    return subprocess.run(command, env=child_environment(home) | variables, capture_output=True, text=True, timeout=600, check=False)


def aof_is_written(settings: Settings) -> bool:
    files = (settings.home / "data" / "redis" / "appendonlydir").glob("*.incr.aof")
    return any(b"evergreen" in file.read_bytes() for file in files)


def postgres_servers(home: Home) -> set[int | None]:
    """Parents of the server's own processes: one for each server that runs."""
    found: set[int | None] = set()
    for process in of_home(home):
        with suppress(psutil.NoSuchProcess):
            parent = process.parent()
            if "postgres" in process.name() and parent is not None and "postgres" in parent.name():
                found.add(parent.pid)
    return found


def silent() -> StartProgress:
    return StartProgress(Console(quiet=True), quiet=True)


def test_a_killed_part_comes_back_with_its_data(small: Settings) -> None:
    with psycopg2.connect(small.postgres.admin_dsn.get_secret_value()) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept (word text)")
        cursor.execute("INSERT INTO kept VALUES ('evergreen')")
    redis.Redis.from_url(small.redis.url.get_secret_value()).set("kept", "evergreen")
    assert await_true(lambda: aof_is_written(small), 10)
    before = {name: service.pid for name, service in services(small).items()}
    for pid in before.values():
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    assert await_true(lambda: all(each.state == "healthy" and each.pid != before[name] for name, each in services(small).items()), 30)
    with closing(psycopg2.connect(small.postgres.admin_dsn.get_secret_value())) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT word FROM kept")
        assert cursor.fetchall() == [("evergreen",)]
    assert redis.Redis.from_url(small.redis.url.get_secret_value()).get("kept") == b"evergreen"


def test_a_killed_supervisor_comes_back_and_takes_over(small: Settings) -> None:
    home = Home(small.home)
    before = recorded(home.pid_file("supervisor"))
    assert before is not None
    before.kill()
    assert await_true(lambda: (after := recorded(home.pid_file("supervisor"))) is not None and after != before, 30)
    assert await_true(lambda: set(states(small.home).values()) == {"healthy"}, 60)
    # What the last life left behind is being ended meanwhile: one server's processes are what remains.
    assert await_true(lambda: postgres_servers(home) == {services(small)["postgres"].pid}, 30)


def test_a_stopped_supervisor_is_named_in_time_and_the_parts_with_it(small: Settings) -> None:
    home = Home(small.home)
    main = recorded(home.pid_file("supervisor"))
    assert main is not None
    main.suspend()
    try:
        began = time.monotonic()
        assert states(small.home) == {"postgres": "healthy", "redis": "healthy", "supervisor": "unhealthy"}
        assert time.monotonic() - began < 2 * ANSWER_SECONDS
        found = evergreen(small.home, "doctor", "--json")
    finally:
        main.resume()
    assert [finding["part"] for finding in json.loads(found.stdout)] == ["supervisor"]
    assert await_true(lambda: states(small.home) == {"postgres": "healthy", "redis": "healthy"}, 30)


def test_starting_a_running_stack_changes_nothing(small: Settings) -> None:
    before = services(small)
    with silent() as progress:
        assert start(small.home, progress).settings == small
    assert {name: each.pid for name, each in services(small).items()} == {name: each.pid for name, each in before.items()}


def test_roles_may_only_what_they_should(small: Settings) -> None:
    with closing(psycopg2.connect(small.postgres.readonly_dsn.get_secret_value())) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM events")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("DELETE FROM events")
    wrong = small.postgres.dsn.get_secret_value().replace("app_rw:", "app_rw:not")
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(wrong)
    address, _, database = small.redis.url.get_secret_value().rpartition("@")[2].partition("/")
    with pytest.raises(redis.AuthenticationError):
        redis.Redis.from_url(f"redis://{address}/{database}").get("kept")


def test_a_second_start_of_a_home_loses_and_says_so() -> None:
    with short_home() as folder, start_lock(Home(folder)):
        with silent() as progress, pytest.raises(StartUnderWay, match=f"pid {os.getpid()}"):
            start(folder, progress, frozenset({"redis"}))
        done = evergreen(folder, "up")
    assert done.returncode == 4
    assert "another start" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_named_and_nothing_is_left_behind() -> None:
    with short_home() as folder, port_offset() as offset, socket.socket() as held:
        port = Ports(offset).of("redis")
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", port))
        held.listen(1)
        with silent() as progress, pytest.raises(StackError, match=rf"port {port} \(redis\) is taken"):
            start(folder, progress, frozenset({"redis"}), offset)
        assert of_home(Home(folder)) == set()
        assert not Home(folder).env_file.exists()


def test_data_outlives_a_stop_and_no_process_does() -> None:
    with short_home() as folder, port_offset() as offset:
        with silent() as progress:
            settings = start(folder, progress, frozenset({"postgres", "redis"}), offset).settings
        dsn = settings.postgres.admin_dsn.get_secret_value()
        with closing(psycopg2.connect(dsn)) as connection, connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE kept AS SELECT 7 AS number")
        redis.Redis.from_url(settings.redis.url.get_secret_value()).set("kept", 7)
        processes = of_home(Home(folder))
        assert stop(Home(folder)) is True
        assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)
        assert all(is_free(Ports(offset).of(part)) for part in ("postgres", "redis"))
        assert stop(Home(folder)) is False
        with silent() as progress:
            again = start(folder, progress, frozenset({"postgres", "redis"}), offset).settings
        assert again.postgres.dsn == settings.postgres.dsn
        with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT number FROM kept")
            assert cursor.fetchall() == [(7,)]
        assert redis.Redis.from_url(settings.redis.url.get_secret_value()).get("kept") == b"7"


def test_a_start_broken_off_by_a_signal_leaves_nothing() -> None:
    with short_home() as folder, port_offset() as offset:
        environment = child_environment(folder) | {"EVERGREEN_PORT_OFFSET": str(offset)}
        command = [sys.executable, "-m", "evergreen.cli.main", "up"]
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as starting:
            assert await_true(lambda: recorded(Home(folder).pid_file("supervisor")) is not None, 60)
            done = evergreen(folder, "down")
            assert starting.wait(timeout=90) != 0
        assert done.returncode == 0, done.stderr
        assert of_home(Home(folder)) == set()
        assert evergreen(folder, "status").returncode == 3


def test_the_stack_of_a_killed_test_run_ends_by_itself() -> None:
    script = "import signal, sys; from pathlib import Path; from evergreen.local_stack.testing import stack\n"
    script += "with stack({'redis'}, Path(sys.argv[1])): print('up', flush=True); signal.pause()"
    with short_home() as folder:
        run = [sys.executable, "-c", script, str(folder)]
        with subprocess.Popen(run, env=child_environment(folder), stdout=subprocess.PIPE, text=True) as owner:
            assert owner.stdout
            assert owner.stdout.readline() == "up\n"
            owner.kill()
        assert await_true(lambda: of_home(Home(folder)) == set(), 30)


@pytest.mark.slow
def test_a_part_that_gives_up_is_shown_with_its_last_words() -> None:
    with stack({"redis"}) as settings:
        home = Home(settings.home)
        LaunchPlan(["/bin/sh", "-c", "echo the last words; exit 1"], {}, []).write(home, "redis")
        pid = services(settings)["redis"].pid
        assert pid is not None
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        assert await_true(lambda: services(settings)["redis"].state == "gave_up", 100)
        found = evergreen(settings.home, "doctor", "--json")
        assert found.returncode == 1
        (finding,) = json.loads(found.stdout)
        assert finding["part"] == "redis"
        assert "gave up: the last words" in finding["problem"]


def status_of(folder: Path) -> dict[str, Any]:
    done = evergreen(folder, "status", "--json")
    assert done.returncode == 0, done.stderr
    parsed: dict[str, Any] = json.loads(done.stdout)
    return parsed


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_whole_stack_by_its_commands() -> None:
    with short_home() as folder, port_offset() as offset:
        started = evergreen(folder, "up", EVERGREEN_PORT_OFFSET=str(offset))
        assert started.returncode == 0, started.stdout + started.stderr
        assert f"http://127.0.0.1:{Ports(offset).of('airflow-api')}" in started.stdout
        found = status_of(folder)
        expected = {"kafka", "postgres", "redis", "mlflow", "airflow-api", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer"}
        assert expected <= set(found["services"])
        assert {service["state"] for service in found["services"].values()} == {"healthy"}
        assert found["clock"]["mode"] == "wall"
        assert "log in to airflow: admin / " in evergreen(folder, "status").stdout
        assert evergreen(folder, "logs", "kafka", "-n", "5").stdout.startswith("kafka: ")
        processes = of_home(Home(folder))
        assert evergreen(folder, "down").returncode == 0
        assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)
        assert evergreen(folder, "status", "--json").returncode == 3
