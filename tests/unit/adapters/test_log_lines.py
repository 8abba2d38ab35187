"""What serving gives out of the parts' logs: warnings of our own parts, bounded, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evergreen.adapters.log_lines import BYTES, LONGEST, LogFolder


def line(second: int, level: str = "warning", **fields: Any) -> str:
    return json.dumps({"at": f"2026-03-01T12:00:{second:02d}.000+00:00", "service": "intake", "event": "said", **fields, "level": level}) + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "intake.log").write_text(line(1) + line(3, "info") + line(5, "error", exception="Traceback\n  File '/srv/x.py'\nValueError: bad"))
    (tmp_path / "serving-00.log").write_text(line(4, service="serving-00") + "Traceback (most recent call last):\n{broken\n[]\n" + line(2, level="critical"))
    return tmp_path


def test_the_newest_of_all_parts_come_first(folder: Path) -> None:
    found = LogFolder(folder).newest(10)
    assert [(one.at[17:19], one.level) for one in found] == [("05", "error"), ("04", "warning"), ("02", "critical"), ("01", "warning")]
    assert [one.at[17:19] for one in LogFolder(folder).newest(2)] == ["05", "04"]
    assert [one.service for one in LogFolder(folder).newest(9, part="serving", level="warning")] == ["serving-00"]


def test_of_a_traceback_the_last_line_alone_is_told(folder: Path) -> None:
    assert LogFolder(folder).newest(1)[0].detail == "ValueError: bad"


def test_other_parts_logs_are_never_read(folder: Path) -> None:
    for name in ("postgres.log", "airflow-api.log", "kafka.log", "setup.log", "servingsecret.log"):
        (folder / name).write_text(line(9, "error", password="hunter2"))
    assert all("hunter2" not in one.detail for one in LogFolder(folder).newest(200))
    assert LogFolder(folder).newest(1, part="postgres") == []


def test_a_huge_log_is_read_at_its_end_and_a_line_is_cut(folder: Path) -> None:
    with (folder / "intake.log").open("a") as opened:
        opened.write(line(1, "error", x="y" * 10_000) * 200)
    found = LogFolder(folder).newest(200)
    assert len(found) <= BYTES // 10_000 + 3
    assert max(len(one.detail) for one in found) <= LONGEST


def test_a_log_begun_anew_is_read_with_the_one_before(folder: Path) -> None:
    (folder / "intake.log").rename(folder / "intake.log.1")
    (folder / "intake.log").write_text(line(6))
    assert [one.at[17:19] for one in LogFolder(folder).newest(9, part="intake")] == ["06", "05", "01"]


def test_a_home_without_logs_says_so(tmp_path: Path) -> None:
    assert not LogFolder(tmp_path / "logs").kept()
    assert LogFolder(tmp_path / "logs").newest(5) == []
