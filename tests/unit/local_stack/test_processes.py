"""Processes of a home are found and ended whoever their parent is; a launcher takes over from the past."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from evergreen.local_stack.home import Home
from evergreen.local_stack.launch import LaunchPlan
from evergreen.local_stack.postgres import Account, may_enter
from evergreen.local_stack.processes import await_true, end, end_home, of_home, of_service, recorded

Start = Callable[..., subprocess.Popen[bytes]]
SLEEP = [sys.executable, "-c", "import signal; signal.pause()"]
DEAF = [sys.executable, "-c", "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.make()
    return home


@pytest.fixture
def begin(home: Home) -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []

    def begin(command: list[str], service: str | None, **options: object) -> subprocess.Popen[bytes]:
        environment = {"PATH": os.defpath, "EVERGREEN_HOME": str(home.path)} | ({"EVERGREEN_SERVICE": service} if service else {})
        started.append(subprocess.Popen(command, env=environment, start_new_session=True, stdout=subprocess.PIPE, **options))  # type: ignore[call-overload]
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()


def test_an_orphan_in_a_process_group_of_its_own_is_found_and_ended(home: Home, begin: Start) -> None:
    child = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'], start_new_session=True).pid, flush=True)"
    parent = begin([sys.executable, "-c", child], "airflow-scheduler")
    assert parent.stdout
    orphan = int(parent.stdout.readline())
    parent.wait()
    assert {process.pid for process in of_service(home, "airflow-scheduler")} == {orphan}
    end_home(home)
    assert not psutil.pid_exists(orphan) or psutil.Process(orphan).status() == psutil.STATUS_ZOMBIE


def test_a_users_own_command_in_that_home_is_left_alone(home: Home, begin: Start) -> None:
    command = begin(SLEEP, None)
    assert of_home(home) == set()
    end_home(home)
    assert command.poll() is None


def test_one_that_ignores_the_request_is_killed(begin: Start) -> None:
    process = begin(DEAF, "intake")
    assert process.stdout
    assert process.stdout.readline() == b"deaf\n"
    end({psutil.Process(process.pid)}, signal.SIGTERM, 0.3)
    assert process.wait(timeout=5) == -signal.SIGKILL


def test_a_stopped_process_hears_the_request(begin: Start) -> None:
    process = begin(SLEEP, "intake")
    process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    end({psutil.Process(process.pid)}, signal.SIGTERM, 5)
    assert process.wait(timeout=5) == -signal.SIGTERM
    assert time.monotonic() - began < 4


def launched(home: Home, begin: Start, service: str, plan: LaunchPlan) -> subprocess.Popen[bytes]:
    plan.write(home, service.rstrip("0123456789").rstrip("-"))
    return begin([sys.executable, "-m", "evergreen.local_stack.launch", str(home.path), service], service)


def test_a_launcher_ends_its_earlier_self_and_becomes_the_part(home: Home, begin: Start) -> None:
    earlier = begin(SLEEP, "intake")
    home.ready_file("intake").touch()
    tell = "import os; print(os.environ['EVERGREEN_SERVICE'], os.environ['OWN'], os.getpid(), flush=True)"
    now = launched(home, begin, "intake", LaunchPlan([sys.executable, "-c", tell], {"OWN": "value"}, []))
    output, _ = now.communicate(timeout=20)
    assert output.decode().split() == ["intake", "value", str(now.pid)]
    assert earlier.wait(timeout=5) == -signal.SIGTERM
    assert not home.ready_file("intake").exists()


def test_one_of_several_processes_leaves_its_siblings_alone(home: Home, begin: Start) -> None:
    sibling = begin(SLEEP, "serving-01")
    launched(home, begin, "serving-00", LaunchPlan(["/bin/true"], {}, [])).wait(timeout=20)
    assert sibling.poll() is None


def test_a_launcher_waits_for_what_its_part_needs(home: Home, begin: Start) -> None:
    step = home.step_file("schema")
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        waiting = launched(home, begin, "intake", LaunchPlan(["/bin/true"], {}, [f"tcp:{port}", f"file:{step}"]))
        assert await_true(lambda: recorded(home.pid_file("intake")) is not None, 20)
        step.touch()
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(timeout=0.5)
        server.listen(1)
        assert waiting.wait(timeout=20) == 0


def test_a_pid_file_names_the_process_only_with_its_start_time(home: Home) -> None:
    file = home.pid_file("kafka")
    me = psutil.Process()
    file.write_text(json.dumps({"pid": me.pid, "started": me.create_time()}))
    assert recorded(file) == me
    file.write_text(json.dumps({"pid": me.pid, "started": me.create_time() + 60}))
    assert recorded(file) is None
    file.write_text("{")
    assert recorded(file) is None


def test_an_account_enters_only_where_every_folder_lets_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    inner = tmp_path / "closed" / "inner"
    inner.mkdir(parents=True)
    stranger = Account(uid=64999, gid=64999)
    passable = may_enter(tmp_path, stranger)
    assert may_enter(inner, stranger) is passable
    (tmp_path / "closed").chmod(0o700)
    assert may_enter(inner, stranger) is False
    owner = tmp_path.stat()
    assert may_enter(inner, Account(owner.st_uid, owner.st_gid)) is (passable or owner.st_uid != 64999)
