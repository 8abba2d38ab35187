"""A run of parts: what one breaks, the others keep."""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from argparse import ArgumentTypeError
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import pytest
from rich.console import Console

from benchmarks import __main__ as bench
from benchmarks.answers import Differs
from benchmarks.rows import EVERGREEN, WHATS, Row
from benchmarks.swaps import mixed
from evergreen.environment import CHECKOUT

ROW = {"what": "bloom", "system": "local", "clients": 0, "workers": 1, "value": 1.0, "unit": "keys/s"}


def run(names: list[str], folder: Path) -> bench.Run:
    return bench.run(names, 1, 0.1, Console(file=StringIO()), folder / "bench.json")


def module(monkeypatch: pytest.MonkeyPatch, part: str, rows: object) -> None:
    name, function, _ = bench.ALONE[part]
    found = ModuleType(name)
    setattr(found, function, rows)
    monkeypatch.setitem(sys.modules, name, found)


def breaks(*_said: object) -> NoReturn:
    raise RuntimeError("the disk is full")


def test_a_part_that_breaks_loses_only_its_own_rows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module(monkeypatch, "bloom", lambda: [ROW])
    module(monkeypatch, "search", breaks)
    module(monkeypatch, "jobs", lambda: [Row("jobs", EVERGREEN, 1, 1, 2.0, "rows/s")])
    done = run(["bloom", "search", "jobs"], tmp_path)
    assert done.failed == ["search"]
    assert [row["what"] for row in json.loads((tmp_path / "bench.json").read_text())["rows"]] == ["bloom", "jobs"]


def test_when_serving_does_not_start_the_rest_is_measured_still(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bench, "field_of", breaks)
    module(monkeypatch, "bloom", lambda: [ROW])
    done = run(["single", "swap", "bloom"], tmp_path)
    assert (done.failed, [row.what for row in done.rows]) == (["single", "swap"], ["bloom"])


def test_a_part_that_says_something_else_than_rows_failed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module(monkeypatch, "bloom", lambda: [ROW | {"what": "speed"}])
    assert run(["bloom"], tmp_path).failed == ["bloom"]


def test_every_name_of_the_file_has_something_that_measures_it() -> None:
    assert {*bench.SERVED, *bench.ALONE} == set(WHATS)
    assert bench._names("single, video") == ["single", "video"]
    with pytest.raises(ArgumentTypeError, match="speed: choose of single, video"):
        bench._names("single,speed")


@pytest.mark.parametrize("part", bench.ALONE)
def test_what_a_part_is_measured_by_is_there_and_takes_what_it_is_given(part: str) -> None:
    module_name, function, given = bench.ALONE[part]
    inspect.signature(getattr(importlib.import_module(module_name), function)).bind(*given)


@pytest.mark.parametrize("name", bench.TOLD)
def test_a_part_that_says_its_figures_itself_is_there(name: str) -> None:
    assert (CHECKOUT / "benchmarks" / f"{name}.py").is_file()


def said(version: int, prediction: float, epoch: int) -> dict[str, object]:
    return {"model_version": f"video_performance@{version}", "prediction": prediction, "epoch": epoch}


def test_answers_during_swaps_are_held_against_what_each_version_says() -> None:
    expected = {1: 5.0, 2: 6.0}
    good = [said(1, 5.0, 1), said(2, 6.0, 2), said(1, 5.0, 3), {"title": "Unavailable", "status": 503}]
    assert mixed(good, expected) == 0
    assert mixed([*good, said(1, 6.0, 3)], expected) == 1
    assert mixed([*good, said(1, 5.0, 2)], expected) == 1
    with pytest.raises(Differs, match=r"only versions \[1\]"):
        mixed([said(1, 5.0, 1)], expected)
