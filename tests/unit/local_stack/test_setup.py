"""The set-up says what is missing before it makes anything."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from evergreen.environment import CHECKOUT

SCRIPT = CHECKOUT / "deploy" / "local" / "setup.sh"


def fake(folder: Path, name: str, body: str) -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        pytest.param("", "needs Python 3.11 or 3.12; found Python 3.9.1", id="only-an-old-one"),
        pytest.param("python9", "python9, which is not one", id="named-one-is-not-there"),
    ],
)
def test_a_wrong_python_is_named_with_the_remedy(tmp_path: Path, asked: str, said: str) -> None:
    fake(tmp_path, "python3", '[ "$1" = --version ] && echo Python 3.9.1 || exit 1')
    done = subprocess.run(
        ["/bin/sh", str(SCRIPT), "stamp"],
        cwd=tmp_path,
        env={"PATH": str(tmp_path), "PYTHON": asked},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 1
    assert said in done.stderr
    assert "PYTHON=/path/to/python3.11" in done.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["python3"]


# Makes an environment whose installer notes what it is asked and finds nothing; takes no lock.
FAKE_PYTHON = """case "$1$2" in
*fcntl*) shift 2; SET_UP_LOCKED=yes exec /bin/sh "$@" ;;
-c*) exit 0 ;;
--version) echo Python 3.11.9 ;;
-mvenv) mkdir -p .venv/bin && cp "$0" .venv/bin/python; printf '#!/bin/sh\\n[ "$1" = --version ]\\n' > .venv/bin/uv; chmod +x .venv/bin/uv ;;
*) exit 1 ;;
esac"""


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    fake(folder, "python3.11", FAKE_PYTHON)
    return folder


def set_up(programs: Path, *, python: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(SCRIPT), ".venv/stamp"],
        cwd=programs.parent,
        env={"PATH": f"{programs}:{os.defpath}", "HOME": "/nonexistent", "PYTHON": python},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_without_a_network_the_set_up_says_so_and_leaves_no_stamp(tmp_path: Path, programs: Path) -> None:
    done = set_up(programs)
    assert done.returncode == 1
    assert "needs a network" in done.stderr
    assert not (tmp_path / ".venv" / "stamp").exists()


def test_an_environment_that_installs_nothing_is_made_anew(tmp_path: Path, programs: Path) -> None:
    """As one that was killed between its Python and its pip."""
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    fake(tmp_path / ".venv" / "bin", "python", FAKE_PYTHON)
    (tmp_path / ".venv" / "half").touch()
    assert "creating .venv" in set_up(programs).stdout
    assert not (tmp_path / ".venv" / "half").exists()
    (tmp_path / ".venv" / "whole").touch()
    assert "creating .venv" not in set_up(programs).stdout
    assert (tmp_path / ".venv" / "whole").exists()


def test_a_second_set_up_waits_for_the_first_and_has_nothing_to_do(tmp_path: Path) -> None:
    (tmp_path / ".evergreen").mkdir()
    with (tmp_path / ".evergreen" / "set-up.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = subprocess.Popen(
            ["/bin/sh", str(SCRIPT), ".venv/stamp"],
            cwd=tmp_path,
            env={"PATH": os.defpath, "PYTHON": sys.executable},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert second.stderr is not None
        assert "another one is under way here" in second.stderr.readline()
        assert second.poll() is None
        (tmp_path / ".venv").mkdir()
        (tmp_path / ".venv" / "stamp").touch()
    out, _ = second.communicate(timeout=20)
    assert (second.returncode, out) == (0, "")


def test_make_lists_what_it_can_do() -> None:
    done = subprocess.run(["make", "help"], cwd=CHECKOUT, capture_output=True, text=True, timeout=20, check=True)
    listed = {line.split()[0] for line in done.stdout.splitlines()}
    assert {"setup", "up", "down", "status", "logs", "clean", "doctor", "demo", "test", "test-fast", "lint"} <= listed
