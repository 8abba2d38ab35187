"""A fault of the machine's is one line; a defect keeps its traceback."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from evergreen.cli import main as command


def test_a_home_nobody_can_write_into_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    done = subprocess.run(
        [sys.executable, "-m", "evergreen.cli.main", "--home", str(tmp_path / "file" / "home"), "up"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith(f"evergreen: {tmp_path}/file/home")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_full_or_closed_disk_names_the_file_and_the_reason(number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        raise OSError(number, os.strerror(number), "/somewhere/x")

    monkeypatch.setattr(command, "app", fails)
    monkeypatch.setattr(command, "register_commands", lambda: None)
    with pytest.raises(SystemExit, match="1"):
        command.main()
    assert f"/somewhere/x cannot be written or read: {os.strerror(number)}" in capsys.readouterr().err


def test_another_fault_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise ConnectionResetError(errno.ECONNRESET, "reset")

    monkeypatch.setattr(command, "app", fails)
    monkeypatch.setattr(command, "register_commands", lambda: None)
    with pytest.raises(ConnectionResetError):
        command.main()
