"""No folder of somebody else's is written into or deleted, and no two starts of one home meet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from evergreen.cli.main import app, register_commands
from evergreen.core.errors import StackError
from evergreen.local_stack import ownership
from evergreen.local_stack.credentials import load_credentials
from evergreen.local_stack.home import Home
from evergreen.local_stack.lock import StartUnderWay, demo_lock, start_lock
from evergreen.local_stack.ownership import claim, maker, refuse_to_reset
from evergreen.local_stack.progress import StartProgress
from evergreen.local_stack.start import start, start_anew
from evergreen.local_stack.wipe import wipe


@pytest.fixture
def theirs(tmp_path: Path) -> Home:
    """A user's own folder, with one of the names a stack uses."""
    (tmp_path / "data" / "youtube").mkdir(parents=True)
    (tmp_path / "data" / "youtube" / "KRvideos.csv").write_text("mine")
    return Home(tmp_path)


def silent() -> StartProgress:
    return StartProgress(Console(quiet=True), quiet=True)


def everything(home: Home) -> list[str]:
    return sorted(str(entry.relative_to(home.path)) for entry in home.path.rglob("*") if entry.is_file())


def test_no_command_touches_a_folder_no_stack_made(theirs: Home) -> None:
    for act in (lambda: start(theirs.path, silent()), lambda: start_anew(theirs.path, silent()), lambda: wipe(theirs)):
        with pytest.raises(StackError, match=r"holds data that no stack made: nothing was touched.*--home"):
            act()
    assert everything(theirs) == ["data/youtube/KRvideos.csv"]


@pytest.mark.parametrize("arguments", [["clean", "--yes"], ["demo"], ["up"]])
def test_the_commands_say_so(theirs: Home, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERGREEN_HOME", str(theirs.path))
    register_commands()
    done = CliRunner().invoke(app, arguments)
    assert isinstance(done.exception, StackError)
    assert everything(theirs) == ["data/youtube/KRvideos.csv"]


def test_secrets_of_something_else_are_not_taken_for_a_homes(tmp_path: Path) -> None:
    (tmp_path / "credentials.json").write_text('{"client_id": "of another product"}')
    with pytest.raises(StackError, match=r"holds credentials\.json that no stack made"):
        maker(Home(tmp_path))


def test_a_folder_with_other_names_may_become_a_home(tmp_path: Path) -> None:
    (tmp_path / "thesis.odt").write_text("x")
    (tmp_path / "logs").mkdir()
    claim(Home(tmp_path), "demo")
    assert maker(Home(tmp_path)) == "demo"


def test_who_made_a_home_first_stays_until_it_is_wiped(tmp_path: Path) -> None:
    home = Home(tmp_path)
    claim(home, "up")
    claim(home, "demo")
    (home.path / "data").mkdir()
    (home.path / "data" / "x").write_text("x")
    with pytest.raises(StackError, match=r"home of a stack that `make up` started.*clean"):
        start_anew(home.path, silent())
    assert (home.path / "data" / "x").exists()
    wipe(home)
    assert everything(home) == []
    refuse_to_reset(home)


def test_a_home_from_before_the_mark_is_known_by_its_manifest_or_its_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped, left, demo = Home(tmp_path / "stopped"), Home(tmp_path / "left"), Home(tmp_path / ".evergreen" / "demo")
    monkeypatch.setattr(ownership, "CHECKOUT", tmp_path)
    for home in (stopped, left, demo):
        home.make()
    load_credentials(stopped)
    load_credentials(demo)
    left.manifest_file.write_text(json.dumps({"processes": {}}))
    assert [maker(home) for home in (stopped, left, demo)] == ["up", "up", "demo"]


def test_a_mark_a_user_made_by_hand_keeps_his_data(theirs: Home) -> None:
    theirs.mark_file.touch()
    assert maker(theirs) == "up"


def test_a_demo_beside_a_start_deletes_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    claim(home, "demo")
    (home.path / "data").mkdir()
    (home.path / "data" / "x").write_text("x")
    with start_lock(home), pytest.raises(StartUnderWay, match="another start of") as caught:
        start_anew(home.path, silent())
    assert caught.value.exit_code == 4
    assert (home.path / "data" / "x").exists()


def test_a_lock_outlives_a_wipe(tmp_path: Path) -> None:
    home = Home(tmp_path)
    claim(home, "demo")
    with start_lock(home):
        wipe(home)
        with pytest.raises(StartUnderWay), start_lock(home):
            pass


def test_a_second_demo_is_refused_while_the_first_plays(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with demo_lock(home), start_lock(home), pytest.raises(StartUnderWay, match=r"another demo in .* is under way \(pid \d+\)"), demo_lock(home):
        pass


def test_cleaning_waits_for_no_start_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path)
    claim(home, "up")
    monkeypatch.setenv("EVERGREEN_HOME", str(home.path))
    register_commands()
    with start_lock(home):
        done = CliRunner().invoke(app, ["clean", "--yes"])
    assert isinstance(done.exception, StartUnderWay)
    assert home.mark_file.exists()
