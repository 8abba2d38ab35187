"""Homes: their paths, their secrets, which one a command acts on."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import psutil
import pytest

from evergreen.core.errors import StackError
from evergreen.local_stack import choose, postgres
from evergreen.local_stack.credentials import load_credentials
from evergreen.local_stack.home import UNIX_SOCKET_LIMIT, Home, write_private
from evergreen.local_stack.wipe import wipe


def running(home: Path) -> None:
    """Let this test's own process pass for the home's supervisor."""
    file = Home(home).pid_file("supervisor")
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"pid": os.getpid(), "started": psutil.Process().create_time()}))


def test_secrets_are_private_and_survive_a_restart(tmp_path: Path) -> None:
    home = Home(tmp_path)
    first = load_credentials(home)
    assert stat.S_IMODE(home.credentials_file.stat().st_mode) == 0o600
    assert load_credentials(home) == first
    assert len({first.postgres, first.redis, first.app_rw, first.app_ro, first.signing_key}) == 5


def test_a_home_from_before_a_new_secret_gets_it_and_keeps_the_others(tmp_path: Path) -> None:
    home = Home(tmp_path)
    stored = load_credentials(home).model_dump()
    del stored["signing_key"]
    home.credentials_file.write_text(json.dumps(stored))
    after = load_credentials(home)
    assert after.postgres == stored["postgres"]
    assert len(after.signing_key) == 64
    assert load_credentials(home) == after


def test_unreadable_secrets_say_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "credentials.json").write_text("{half")
    with pytest.raises(StackError, match="make clean"):
        load_credentials(Home(tmp_path))


def test_a_private_file_is_replaced_whole_and_never_world_readable(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("old")
    file.chmod(0o644)
    write_private(file, "new")
    assert file.read_text() == "new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_a_deep_home_gets_a_socket_path_short_enough_to_bind(tmp_path: Path) -> None:
    deep = Home(tmp_path / ("long" * 30))
    assert len(str(deep.supervisor_socket)) <= UNIX_SOCKET_LIMIT
    assert deep.supervisor_socket != Home(tmp_path / ("long" * 31)).supervisor_socket


def test_the_named_home_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERGREEN_HOME", str(tmp_path))
    assert choose.find_home() == (tmp_path, "")


@pytest.mark.parametrize(
    ("runs", "chosen", "notice"),
    [
        pytest.param([], "main", False, id="none-runs"),
        pytest.param(["main"], "main", False, id="the-stack"),
        pytest.param(["demo"], "demo", False, id="only-the-demo"),
        pytest.param(["main", "demo"], "main", True, id="both-with-a-notice"),
    ],
)
def test_without_a_name_the_running_stack_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs: list[str], chosen: str, notice: bool) -> None:
    homes = {"main": tmp_path / "main", "demo": tmp_path / "demo"}
    monkeypatch.delenv("EVERGREEN_HOME", raising=False)
    monkeypatch.setattr(choose, "default_homes", lambda: list(homes.values()))
    for name in runs:
        running(homes[name])
    home, said = choose.find_home()
    assert home == homes[chosen]
    assert bool(said) is notice


def test_a_pid_that_went_to_another_process_is_not_the_supervisor(tmp_path: Path) -> None:
    file = Home(tmp_path).pid_file("supervisor")
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"pid": os.getpid(), "started": psutil.Process().create_time() - 100}))
    assert choose.is_running(tmp_path) is False


def test_wiping_keeps_jars_the_home_inside_and_what_is_not_ours(tmp_path: Path) -> None:
    home = Home(tmp_path / "main")
    for file in ("cache/kafka/a.jar", "data/postgres/PG_VERSION", "logs/kafka.log", "demo/credentials.json", "demo/data/x", "thesis.odt"):
        path = home.path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    load_credentials(home)
    wipe(home)
    assert sorted(path.name for path in home.path.iterdir()) == ["cache", "demo", "thesis.odt"]
    assert (home.path / "demo" / "data" / "x").exists()


def test_the_copy_of_postgres_is_readable_whatever_the_umask(tmp_path: Path) -> None:
    program, library = tmp_path / "copy" / "bin" / "initdb", tmp_path / "copy" / "lib" / "libpq.so"
    for file, mode in ((program, 0o700), (library, 0o600)):
        file.parent.mkdir(parents=True, mode=0o700)
        file.touch()
        file.chmod(mode)
    (tmp_path / "copy" / "libpq.so.5").symlink_to("nowhere")
    postgres._make_readable(tmp_path / "copy")
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (program.parent, program, library.parent, library)]
    assert [mode & 0o055 for mode in modes] == [0o055, 0o055, 0o055, 0o044]
