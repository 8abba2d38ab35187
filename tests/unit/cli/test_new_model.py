"""`evergreen new-model`, and the folder it is for as batches."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from evergreen.adapters.delta_lake import DeltaLake
from evergreen.cli import main
from evergreen.cli.row_batches import already_released, row_batches
from evergreen.core.errors import DataRejected, EvergreenError, SpecRefused
from evergreen.domains.tabular.declared import Declared
from evergreen.domains.tabular.folder import declared_model
from evergreen.domains.tabular.spec import tabular_dataset, tabular_spec
from evergreen.domains.tabular.spec_file import parse_spec
from evergreen.domains.tabular.streams import stream
from evergreen.environment import models_folder
from tests.support.strangers import FIRST_DAY, sales, write_folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EVERGREEN_HOME", str(tmp_path / "home"))
    main.register_commands()
    return tmp_path / "home"


def run(*arguments: str) -> str:
    result = CliRunner().invoke(main.app, ["new-model", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("classification", [False, True])
def test_a_stream_becomes_a_model(home: Path, tmp_path: Path, classification: bool) -> None:
    rows, _ = stream("stationary", days=40, classification=classification)
    rows.to_parquet(tmp_path / "rows.parquet", index=False)
    said = run("streamed", "--from", str(tmp_path / "rows.parquet"), "--time", "at", "--target", "y", "--entity", "entity")
    assert str(models_folder(home) / "streamed" / "spec.toml") in said
    declared = declared_model(models_folder(home), "streamed")
    assert declared.kind == ("classification" if classification else "regression")
    assert set(declared.features) == {"c1", "c2", *(f"x{at}" for at in range(1, 11))}
    assert (declared.time.column, declared.time.name, declared.entity.column, declared.entity.name) == ("at", "at_value", "entity", "entity_value")
    assert "day" in (models_folder(home) / "streamed" / "spec.toml").read_text(), "left out, with the reason"
    assert "is whole" in run("streamed", "--check", "--from", str(tmp_path / "rows.parquet"))


def test_without_data_it_is_a_template_to_fill_in(home: Path) -> None:
    run("flats", "--kind", "classification")
    assert declared_model(models_folder(home), "flats").classes == ("no", "yes")
    assert "evergreen load rows flats FOLDER" in (models_folder(home) / "flats" / "README.md").read_text()


def test_what_is_there_is_never_written_over(home: Path) -> None:
    run("flats")
    with pytest.raises(SpecRefused, match="is there already"):
        run("flats")
    with pytest.raises(SpecRefused, match="is taken"):
        run("videos")
    with pytest.raises(SpecRefused, match="is no model name"):
        run("../flats")
    assert [folder.name for folder in models_folder(home).iterdir()] == ["flats"]


def test_a_refused_look_leaves_nothing_behind(home: Path, tmp_path: Path) -> None:
    source = write_folder(tmp_path / "data", sales(5), drop="quick")
    with pytest.raises(SpecRefused, match="needs --time"):
        run("flats", "--from", str(source))
    with pytest.raises(SpecRefused, match="no such column"):
        run("flats", "--from", str(source), "--time", "now", "--target", "Price")
    assert not models_folder(home).exists()


def test_a_check_says_which_file_lacks_which_column(home: Path, tmp_path: Path) -> None:
    source = write_folder(tmp_path / "data", sales(5), drop="quick")
    run("flats", "--from", str(source), "--time", "Sold at", "--target", "Price")
    (source / "other.csv").write_text("Sold at,Price\n2025-03-01,1\n")
    with pytest.raises(DataRejected, match=r"other\.csv: has no column 'Listing ID'"):
        run("flats", "--check", "--from", str(source))


FLATS = parse_spec(
    """name = "flats"
kind = "regression"
[time]
column = "Sold at"
name = "sold_at"
[target]
column = "Price"
name = "price"
[numbers.age]
[numbers.order]
column = "noise"
""",
    folder="flats",
)


def read(folder: Path, declared: Declared = FLATS, first: date | None = None, last: date | None = None) -> tuple[list[tuple[date, date, int]], list[str]]:
    said: list[str] = []
    batches = row_batches(folder, declared, first=first, last=last, batch_days=7, today=date(2025, 12, 31), say=said.append)
    return [(batch.first_day, batch.last_day, len(batch.rows)) for batch in batches], said


def test_days_are_cut_into_batches(tmp_path: Path) -> None:
    write_folder(tmp_path, sales(10))
    assert read(tmp_path)[0] == [(FIRST_DAY, FIRST_DAY + timedelta(days=6), 112), (FIRST_DAY + timedelta(days=7), FIRST_DAY + timedelta(days=9), 48)]
    assert read(tmp_path, first=FIRST_DAY + timedelta(days=3), last=FIRST_DAY + timedelta(days=3))[0] == [(date(2025, 3, 4), date(2025, 3, 4), 16)]
    with pytest.raises(EvergreenError, match="holds no row of flats"):
        read(tmp_path, first=date(2026, 1, 1))


def test_what_has_no_day_goes_with_the_last_batch(tmp_path: Path) -> None:
    rows = sales(10)
    rows.loc[3, "Sold at"] = "yesterday"
    rows.loc[4, "Sold at"] = "2125-03-01"
    rows.to_csv(tmp_path / "a.csv", index=False)
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\n")
    batches = row_batches(tmp_path, FLATS, first=None, last=None, batch_days=7, today=date(2025, 12, 31), say=lambda _: None)
    assert [(len(batch.rows), len(batch.unreadable)) for batch in batches] == [(110, 0), (50, 1)]
    checked = tabular_dataset(FLATS).validate(batches[1].rows, date(2025, 12, 31))
    assert (len(checked.clean), len(checked.quarantined)) == (48, 2)


def test_days_not_released_are_left_for_later(tmp_path: Path) -> None:
    write_folder(tmp_path, sales(10))
    said: list[str] = []
    batches = row_batches(tmp_path, FLATS, first=None, last=None, batch_days=7, today=date(2025, 12, 31), say=said.append)
    assert len(already_released(batches, datetime(2025, 3, 9, tzinfo=UTC), said.append)) == 1
    assert "2025-03-08 on are left out until 2025-03-11T00:00Z" in said[0]
    with pytest.raises(EvergreenError, match="left out"):
        already_released(batches, datetime(2025, 3, 3, tzinfo=UTC), said.append)


def test_the_lake_keeps_what_is_declared_whatever_it_is_called(tmp_path: Path) -> None:
    """`order` is a word of SQL, and rows without a name are known by their cells."""
    source = write_folder(tmp_path / "data", sales(40))
    dataset = tabular_dataset(FLATS)
    lake = DeltaLake(tmp_path / "lake", {dataset.name: dataset})
    batches = row_batches(source, FLATS, first=None, last=None, batch_days=30, today=date(2025, 12, 31), say=lambda _: None)
    for batch in [*batches, batches[0]]:
        lake.merge_silver(dataset.name, dataset.validate(batch.rows, date(2025, 12, 31)).clean)
    silver = lake.silver(dataset.name)
    assert len(silver) == len(sales(40))
    assert {name: str(dtype) for name, dtype in silver.dtypes.items()} == dict(dataset.columns)
    pd.testing.assert_series_equal(silver["order"].sort_values(ignore_index=True), sales(40)["noise"].sort_values(ignore_index=True), check_names=False)
    assert len(tabular_spec(FLATS).build_features(silver)) == len(silver)
