"""Logs: the last lines, and new ones as they come, also after a rotation."""

from __future__ import annotations

from pathlib import Path
from threading import Event

from evergreen.local_stack.logs import follow, last_line, log_files, tail


def test_the_tail_of_a_log_and_of_none(tmp_path: Path) -> None:
    log = tmp_path / "kafka.log"
    assert tail(log, 3) == []
    assert last_line(log) == ""
    log.write_text("one\ntwo\nthree\n\n")
    assert tail(log, 2) == ["three", ""]
    assert last_line(log) == "three"


def test_a_name_picks_its_log_and_its_processes(tmp_path: Path) -> None:
    for name in ("serving-00", "serving-01", "intake", "mlflow"):
        (tmp_path / f"{name}.log").touch()
    assert [file.stem for file in log_files(tmp_path, ["serving", "intake"])] == ["intake", "serving-00", "serving-01"]
    assert len(log_files(tmp_path, [])) == 4


def test_new_lines_are_followed_whole_and_over_a_rotation(tmp_path: Path) -> None:
    log = tmp_path / "kafka.log"
    log.write_text("old line, longer than what comes after\n")
    writes = iter(["new\nhalf ", "a line\n"])

    class Writer(Event):
        """Each look at the logs finds one more write."""

        def wait(self, timeout: float | None = None) -> bool:
            if text := next(writes, None):
                with log.open("a") as file:
                    file.write(text)
            else:
                log.write_text("rotated\n")
            return False

    lines = follow(lambda: sorted(tmp_path.glob("*.log")), Writer())
    assert [next(lines) for _ in range(3)] == [("kafka", "new"), ("kafka", "half a line"), ("kafka", "rotated")]
