"""What was set aside, as the command tells it."""

from __future__ import annotations

import json
from datetime import date
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from evergreen.adapters.memory.lake import MemoryLake
from evergreen.cli import context, quarantine
from evergreen.core.errors import NotFound
from evergreen.domains.videos.dataset import video_dataset
from evergreen.domains.videos.simulator import simulate

DATASET = video_dataset("KR")
DAY = date(2025, 3, 3)


def run(*options: str) -> str:
    app = typer.Typer()
    quarantine.register(app)
    result = CliRunner().invoke(app, ["videos.KR", *options])
    if result.exception is not None:
        raise result.exception
    return result.output


@pytest.fixture(autouse=True)
def lake(monkeypatch: pytest.MonkeyPatch) -> MemoryLake:
    made = MemoryLake({DATASET.name: DATASET})
    monkeypatch.setattr(context, "parts", lambda: SimpleNamespace(lake=made))
    return made


def keep(lake: MemoryLake, batch: str) -> None:
    rows = simulate(DAY, DAY, 1).astype(object)
    rows.loc[:2, "view_count"] = "n/a"
    rows.loc[3, "title"] = None
    rows.loc[4, ["title", "video_id"]] = ["\x1b[31mred", "#NAME?"]
    lake.keep_bronze(DATASET.name, batch, rows, DATASET.validate(rows, DAY).quarantined)


def test_each_batch_with_its_rows_and_reasons(lake: MemoryLake) -> None:
    assert run() == "No row of videos.KR was set aside.\n"
    assert run("--json") == ""
    keep(lake, "b1")
    assert run() == "b1       5 rows  3 × view_count: not a whole number: 'n/a'; 1 × title: missing; 1 × video_id: not a video id\n"
    assert json.loads(run("--json")) == {
        "batch": "b1",
        "rows": 5,
        "reasons": {"view_count: not a whole number: 'n/a'": 3, "title: missing": 1, "video_id: not a video id": 1},
    }


def test_the_rows_of_one_batch_and_nothing_that_steers_a_terminal(lake: MemoryLake) -> None:
    keep(lake, "b1")
    told = run("--batch", "b1")
    assert "title: missing\n    region KR" in told
    assert "\x1b" not in told
    rows = [json.loads(line) for line in run("--batch", "b1", "--json").splitlines()]
    assert [row["view_count"] for row in rows[:3]] == [None] * 3
    assert rows[4]["video_id"] == "#NAME?"


def test_a_batch_without_such_rows_is_not_there(lake: MemoryLake) -> None:
    keep(lake, "b1")
    with pytest.raises(NotFound, match="batches with such rows: b1"):
        run("--batch", "b2")
