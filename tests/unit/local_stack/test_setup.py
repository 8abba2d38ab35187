"""The set-up says what is missing before it makes anything."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from evergreen.settings import CHECKOUT

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


def test_without_a_network_the_set_up_says_so_and_leaves_no_stamp(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    # Makes an environment whose installer finds nothing.
    make_environment = 'mkdir -p .venv/bin && cp "$0" .venv/bin/python; printf "#!/bin/sh\\nexit 1\\n" > .venv/bin/uv; chmod +x .venv/bin/uv'
    fake(programs, "python3.11", f'case "$1$2" in -c*) exit 0 ;; --version) echo Python 3.11.9 ;; -mvenv) {make_environment} ;; *) exit 1 ;; esac')
    done = subprocess.run(
        ["/bin/sh", str(SCRIPT), ".venv/stamp"],
        cwd=tmp_path,
        env={"PATH": f"{programs}:{os.defpath}", "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 1
    assert "needs a network" in done.stderr
    assert not (tmp_path / ".venv" / "stamp").exists()


def test_make_lists_what_it_can_do() -> None:
    done = subprocess.run(["make", "help"], cwd=CHECKOUT, capture_output=True, text=True, timeout=20, check=True)
    listed = {line.split()[0] for line in done.stdout.splitlines()}
    assert {"setup", "up", "down", "status", "logs", "clean", "doctor", "demo", "test", "test-fast", "lint"} <= listed
