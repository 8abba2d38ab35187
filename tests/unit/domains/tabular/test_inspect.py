"""What a folder of data is taken for, and files that cannot be read."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pandas as pd
import pytest

from evergreen.core.errors import DataRejected, SpecRefused
from evergreen.domains.tabular import readers
from evergreen.domains.tabular.inspect import Asked, inspect, sample
from evergreen.domains.tabular.loaders import load_rows
from evergreen.domains.tabular.spec_file import parse_spec
from tests.support.strangers import sales, write_folder

ASKED = Asked("when", "y")


def frame(**columns: object) -> pd.DataFrame:
    made = {"when": [f"2025-03-{day:02d}" for day in range(1, 21)], "y": [str(at) for at in range(20)], "x": [str(at % 7) for at in range(20)]}
    return pd.DataFrame(made | columns)


def test_each_column_is_what_its_cells_are(tmp_path: Path) -> None:
    made = inspect(sample(write_folder(tmp_path, sales(20), drop="quick")), "flats", Asked("Sold at", "Price"))
    assert (made.kind, made.entity, made.time_format) == ("regression", "Listing ID", None)
    assert list(made.numbers) == ["area_m2", "age", "balcony", "noise"]
    assert list(made.categories) == ["district"]
    assert made.left_out == [("agency", "always 'Evergreen Homes'")]


def test_what_no_model_can_use_is_left_out_with_the_reason() -> None:
    rows = frame(answer=[str(at) for at in range(20)], story=[f"text {at}" for at in range(20)], seen=["2025-01-01", "2025-01-02"] * 10, none=[None] * 20)
    assert dict(inspect(rows, "m", ASKED).left_out) == {
        "answer": "the same as the target: a model that is told the answer learns nothing",
        "story": "20 different texts: a name or free text",
        "seen": "a time: derive a number from it (an age, an hour) to use it",
        "none": "empty",
    }


@pytest.mark.parametrize(
    ("rows", "asked", "said"),
    [
        (frame(), Asked("now", "y"), "--time 'now': the data has no such column; it has when, y, x"),
        (frame(), Asked("when", "z"), "--target 'z'"),
        (frame(when=["yesterday"] * 20), ASKED, "say how it is written with --time-format"),
        (frame(when=["01/02/2025"] * 20), ASKED, "%d/%m/%Y or %m/%d/%Y: say which"),
        (frame(y=["a", "b", "c", "d"] * 5), ASKED, "has 4 classes"),
        (frame(), Asked("when", "y", "classification"), "has 20 classes"),
        (frame(y=["a", "b"] * 10), Asked("when", "y", "regression"), "is no number"),
        (frame(y=["1"] * 20), ASKED, "nothing to predict"),
        (frame(y=[None] * 20), ASKED, "the column is empty"),
        (frame()[["when", "y"]], ASKED, "not one column"),
        (frame().head(0), ASKED, "has no rows"),
    ],
)
def test_data_that_cannot_feed_a_model_is_refused_with_the_remedy(rows: pd.DataFrame, asked: Asked, said: str) -> None:
    with pytest.raises(SpecRefused) as refused:
        inspect(rows, "m", asked)
    assert said in str(refused.value)


def test_a_format_that_only_one_reading_fits_is_found() -> None:
    assert inspect(frame(when=[f"{day}/02/2025" for day in range(1, 21)]), "m", ASKED).time_format == "%d/%m/%Y"


def test_rows_of_every_day_are_expected_every_day() -> None:
    assert inspect(frame(), "m", ASKED).daily
    assert not inspect(frame(when=[f"2025-{1 + at // 10:02d}-{1 + at % 10:02d}" for at in range(20)]), "m", ASKED).daily


def test_headers_and_values_of_any_kind_are_written_as_toml() -> None:
    rows = frame(**{'a "b" \\ c': ['say "hi"\\', "=1+1"] * 10, "Ümläut €": ["x", "y"] * 10, "day": ["1", "2"] * 10, "Day!": ["3", "4"] * 10})
    declared = parse_spec(inspect(rows, "m", ASKED).render(), folder="m")
    assert {one.column for one in (*declared.numbers, *declared.categories)} == {"x", 'a "b" \\ c', "Ümläut €", "day", "Day!"}
    assert {one.name for one in declared.numbers} == {"x", "day_value", "day_value_2"}
    assert declared.categories[0].values == ("=1+1", 'say "hi"\\')


def test_headers_of_another_script_have_names_of_their_own() -> None:
    rows = pd.DataFrame(
        {"신청 ID": [f"A-{n}" for n in range(20)], "신청일시": "2025-01-01", "결과": ["상환", "연체"] * 10, "지역": ["서울", "부산"] * 10, "나이": range(20)}
    )
    declared = parse_spec(inspect(rows, "loans", Asked("신청일시", "결과")).render(), folder="loans")
    assert (declared.time.name, declared.target.name, declared.entity.name) == ("sinceongilsi", "gyeolgwa", "sinceong_id")
    assert {one.column: one.name for one in (*declared.numbers, *declared.categories)} == {"지역": "jiyeog", "나이": "nai"}


@pytest.mark.parametrize("headers", [("!", "?", "…"), ("A", "a", "á")])
def test_headers_that_would_have_the_same_name_are_told_apart(headers: tuple[str, str, str]) -> None:
    time, target, number = headers
    rows = pd.DataFrame({time: "2025-01-01", target: ["x", "y"] * 10, number: range(20)})
    declared = parse_spec(inspect(rows, "odd", Asked(time, target)).render(), folder="odd")
    assert [declared.time.column, declared.target.column, *(one.column for one in declared.numbers)] == list(headers)
    assert len({declared.time.name, declared.target.name, *declared.features}) == 3


def test_a_byte_order_mark_quotes_and_semicolons_are_read(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_bytes('﻿when;"y";x\n2025-03-01;1;"a;b"\n2025-03-02;2;c\n'.encode())
    assert sample(tmp_path).to_dict("list") == {"when": ["2025-03-01", "2025-03-02"], "y": ["1", "2"], "x": ["a;b", "c"]}


def test_a_header_alone_is_a_file_without_rows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("when,y,x\n")
    (tmp_path / "b.csv").write_text("when,y,x\n2025-03-01,1,2\n")
    assert len(sample(tmp_path)) == 1


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("wide.csv", b",".join(b"c%d" % at for at in range(10**6)) + b"\n", "no header"),
        ("many.csv", b",".join(b"c%d" % at for at in range(6000)) + b"\n", "6000 columns"),
        ("twice.csv", b"a,b,a\n1,2,3\n", "is there twice: a"),
        ("empty.csv", b"", "no header line"),
        ("binary.csv", b"\x00\x01\x02\n" * 10, "no header line"),
        ("latin.csv", "when,y,x\n2025-03-01,1,caf\xe9\n".encode("latin-1"), "is not UTF-8"),
        ("header.csv", "wh\xe9n,y\n".encode("latin-1"), "first line is not UTF-8"),
        ("ragged.csv", b"when,y,x\n2025-03-01,1,2,3,4\n", "cannot be read"),
        ("cut.parquet", b"PAR1 and then nothing", "not a whole Parquet file"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_the_cause(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    tracemalloc.start()
    with pytest.raises(DataRejected) as refused:
        sample(tmp_path)
    assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
    tracemalloc.stop()
    assert said in str(refused.value), refused.value


def test_a_file_of_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "huge.csv").open("wb") as file:
        file.write(b"when,y,x\n")
        file.truncate(2 * 2**30)
    with pytest.raises(DataRejected, match="2048 MiB, at most 192"):
        readers.header_of(tmp_path / "huge.csv")


def test_a_bad_file_beside_good_ones_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    source = write_folder(tmp_path, sales(40), drop="quick")
    declared = parse_spec(inspect(sample(source), "flats", Asked("Sold at", "Price")).render(), folder="flats")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    refused: dict[Path, DataRejected] = {}
    rows = load_rows(tmp_path, declared, on_rejected=refused.__setitem__)
    assert len(rows) == len(sales(40))
    assert rows["day"].notna().all()
    [error] = refused.values()
    assert "other.csv: has no column 'Sold at', 'Price', 'Listing ID', 'Area (m2)', 'age' that the spec of flats declares; it has a, b" in str(error)
