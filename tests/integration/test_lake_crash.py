"""Delta tables through kill -9 and writers at once; and that a process which read them ends cleanly."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from datetime import date, timedelta
from pathlib import Path

import pytest

from evergreen.adapters.delta_lake import DeltaLake
from evergreen.domains.videos.dataset import video_dataset
from evergreen.domains.videos.simulator import simulate
from evergreen.environment import child_environment

pytestmark = pytest.mark.slow
DATASETS = {"videos.KR": video_dataset("KR")}
START = date(2025, 6, 25)

# Writes day after day, telling each when it is committed.
WRITER = """
import sys
from datetime import date, timedelta
from pathlib import Path
from evergreen.adapters.delta_lake import DeltaLake
from evergreen.domains.videos.dataset import video_dataset
from evergreen.domains.videos.simulator import simulate

lake = DeltaLake(Path(sys.argv[1]), {"videos.KR": video_dataset("KR")})
rows = simulate(date(2025, 6, 25), date(2025, 7, 24), seed=int(sys.argv[2]))
for day, listed in rows.groupby("list_date"):
    lake.merge_silver("videos.KR", listed)
    print(str(day)[:10], flush=True)
"""
READER = """
import sys
from pathlib import Path
from evergreen.adapters.delta_lake import DeltaLake
from evergreen.domains.videos.dataset import video_dataset

print(len(DeltaLake(Path(sys.argv[1]), {"videos.KR": video_dataset("KR")}).silver("videos.KR")))
"""


def program(code: str, *arguments: object, home: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=child_environment(home))


def test_a_writer_killed_at_any_moment_leaves_whole_days_only(tmp_path: Path):
    rows = simulate(START, START + timedelta(days=29), seed=1)
    lake = DeltaLake(tmp_path / "lake", DATASETS)
    pause = threading.Event()
    for attempt in range(4):
        writer = program(WRITER, tmp_path / "lake", 1, home=tmp_path)
        assert writer.stdout is not None
        told = [writer.stdout.readline().strip() for _ in range(2 + 3 * attempt)]
        pause.wait(0.011 * attempt)  # somewhere inside the next commit
        writer.kill()
        writer.communicate()
        found = lake.silver("videos.KR")
        days = found.groupby(found["list_date"].dt.date.map(str)).size().to_dict()
        expected = rows.groupby(rows["list_date"].dt.date.map(str)).size().to_dict()
        assert set(told) <= set(days)
        assert all(days[day] == expected[day] for day in days)
    lake.merge_silver("videos.KR", rows.drop(columns="load_error"))
    assert len(lake.silver("videos.KR")) == len(rows)


def test_two_writers_and_a_compaction_at_once_lose_nothing(tmp_path: Path):
    lake = DeltaLake(tmp_path / "lake", DATASETS)
    writers = [program(WRITER, tmp_path / "lake", seed, home=tmp_path) for seed in (1, 2)]
    deadline = time.monotonic() + 90
    while any(writer.poll() is None for writer in writers):
        assert time.monotonic() < deadline
        lake.compact(keep_versions_for=timedelta(hours=1))
        threading.Event().wait(0.1)
    errors = [writer.communicate()[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0], errors
    found = lake.silver("videos.KR")
    expected = {video for seed in (1, 2) for video in simulate(START, START + timedelta(days=29), seed=seed)["video_id"]}
    assert set(found["video_id"]) == expected
    assert not found.duplicated(["region", "list_date", "video_id"]).any()


def test_a_process_that_read_the_lake_ends_cleanly(tmp_path: Path):
    lake = DeltaLake(tmp_path / "lake", DATASETS)
    rows = simulate(START, START + timedelta(days=60), seed=1)
    lake.merge_silver("videos.KR", rows.drop(columns="load_error"))
    for _ in range(6):
        reader = program(READER, tmp_path / "lake", home=tmp_path)
        out, error = reader.communicate(timeout=60)
        assert (reader.returncode, out.strip()) == (0, str(len(rows))), error
