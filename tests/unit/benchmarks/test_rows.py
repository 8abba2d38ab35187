"""Figures: medians of rounds, ratios, the file, bars and the table."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import jsonschema
import pytest
from rich.console import Console

from benchmarks.bars import BARS, judged
from benchmarks.rows import CONSTANT, EVERGREEN, FASTAPI, MLFLOW, WHATS, Row, Series, compared, write
from benchmarks.table import show

NUMBER = {"type": "number"}
RATIO = {"type": ["number", "null"]}
NAMES = ["single", "video", "redis_hit", "l1_hit", "batch_1000", "restart", "memory", "swap", "bloom", "search", "jobs", "recommendations"]
ROW = {
    "what": {"enum": NAMES},
    "system": {"type": "string", "minLength": 1},
    "clients": {"type": "integer", "minimum": 0},
    "workers": {"type": "integer", "minimum": 1},
    "value": NUMBER,
    "unit": {"type": "string", "minLength": 1},
    "ratio_to_constant": RATIO,
    "ratio_to_mlflow": RATIO,
}
ONE = {"type": "object", "properties": ROW, "required": list(ROW), "additionalProperties": False}
SCHEMA = {"type": "object", "properties": {"rows": {"type": "array", "items": ONE}}, "required": ["rows"], "additionalProperties": False}


def series(system: str, *values: float, unit: str = "req/s", clients: int = 16, workers: int = 1) -> Series:
    return Series("single", system, clients, workers, unit, values)


def test_a_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    """The machine was twice as fast in the second round: that is nobody's merit."""
    rows = compared([series(CONSTANT, 1000, 2000, 1000), series(MLFLOW, 10, 20, 10), series(EVERGREEN, 400, 800, 500)])
    assert [(row.value, row.ratio_to_constant, row.ratio_to_mlflow) for row in rows] == [(1000, 1, 100), (10, 0.01, 1), (500, 0.4, 40)]


def test_each_is_compared_with_the_same_load_and_unit_only() -> None:
    rows = compared([series(CONSTANT, 1000, clients=1), series(CONSTANT, 2.0, unit="ms p50"), series(EVERGREEN, 3.0, unit="ms p50", workers=2)])
    assert [row.ratio_to_constant for row in rows] == [1, 1, 1.5]
    assert compared([series(EVERGREEN, 3.0, clients=64), series(CONSTANT, 1.0)])[0].ratio_to_constant is None


def test_a_yardstick_that_measured_nothing_makes_no_ratio() -> None:
    assert compared([series(CONSTANT, 0.0), series(EVERGREEN, 5.0)])[1].ratio_to_constant is None


def test_the_file_has_the_form_others_read(tmp_path: Path) -> None:
    rows = figures(400)
    write(rows, tmp_path / "new" / "bench.json")
    said = json.loads((tmp_path / "new" / "bench.json").read_text())
    jsonschema.validate(said, SCHEMA)
    assert [Row.of(row) for row in said["rows"]] == rows
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["bench.json"]
    assert list(WHATS) == NAMES


def test_a_figure_that_is_no_number_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write([Row("bloom", "local", 0, 1, float("nan"), "keys/s")], tmp_path / "bench.json")
    assert not (tmp_path / "bench.json").exists()


@pytest.mark.parametrize("said", [{"what": "speed"}, {"unknown": 1}])
def test_what_another_part_says_must_be_a_row(said: dict[str, object]) -> None:
    fine = {"what": "bloom", "system": "local", "clients": 0, "workers": 1, "value": 1.0, "unit": "keys/s"}
    assert Row.of(fine).ratio_to_mlflow is None
    with pytest.raises((ValueError, TypeError)):
        Row.of(fine | said)


def figures(req_s: float, errors: float = 0) -> list[Row]:
    return [*compared([series(CONSTANT, 1000), series(MLFLOW, 5), series(EVERGREEN, req_s)]), Row("swap", EVERGREEN, 8, 1, errors, "errors")]


def test_bars_are_judged_by_the_ratio_they_name() -> None:
    said = {one.bar.label: (one.figure, one.verdict) for one in judged(figures(300))}
    assert said == {
        "one prediction at 16 clients, req/s, of the constant": (0.3, "bar"),
        "one prediction at 16 clients, req/s, of mlflow models serve": (60, "bar"),
        "20 hot swaps at 200 req/s: errors": (0, "aim"),
    }
    assert [one.verdict for one in judged(figures(400, errors=1))] == ["aim", "aim", "missed"]
    assert [one.verdict for one in judged(figures(99))] == ["missed", "missed", "aim"]


def test_every_bar_is_of_something_that_is_measured() -> None:
    assert {bar.what for bar in BARS} <= set(WHATS)
    assert len({bar.label for bar in BARS}) == len(BARS)
    for bar in BARS:
        if bar.aim is not None:
            assert bar.reached(bar.aim, bar.bar), bar.label


def test_the_table_shows_the_machine_bars_and_every_figure() -> None:
    console = Console(file=StringIO(), width=180)
    show([*figures(300), *compared([Series("single", FASTAPI, 16, 1, "ms p99", [12.5])])], console)
    assert isinstance(console.file, StringIO)
    said = console.file.getvalue()
    assert "cores" in said.splitlines()[0]
    for part in ("bar reached", "≥ 0.20×", "≥ 0.40×", "300 req/s", "60", "12.5 ms p99", "0 errors"):
        assert part in said, part
