"""Bodies of MLflow's scoring protocol become the matrix that MLflow's own reading and schema enforcement make of them; what those refuse is
refused with the same error code."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from io import StringIO
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.models.utils import _enforce_schema
from mlflow.pyfunc.scoring_server import infer_and_parse_data, parse_csv_input
from mlflow.types import ColSpec, Schema

from serving.protocols.frames import Unusable
from serving.protocols.mlflow_scoring import MlflowReader, UnsupportedType, fault_of, media_type, predictions_body

NAMES = ["a", "b", "c"]
SCHEMA = Schema([ColSpec("double", name) for name in NAMES])
READER = MlflowReader(NAMES)
Said = Sequence[Sequence[float]] | str


def ours(body: str, kind: str = "application/json") -> Said:
    """Rows, or the error code of a refusal."""
    try:
        return READER.read(body.encode("utf-8", "surrogatepass"), kind).tolist()  # type: ignore[no-any-return]
    except Unusable as error:
        return fault_of(error).code


def theirs(body: str, kind: str = "application/json") -> Said:
    try:
        parsed = parse_csv_input(StringIO(body), SCHEMA) if kind == "text/csv" else infer_and_parse_data(json.loads(body), SCHEMA)
    except MlflowException as error:
        return str(error.error_code)
    try:
        frame: pd.DataFrame = _enforce_schema(parsed, SCHEMA)
    except Exception:  # noqa: BLE001 - as its server does: whatever goes wrong here is a schema that is not met
        return "INVALID_PARAMETER_VALUE"
    return frame.to_numpy().tolist() if len(frame) else "BAD_REQUEST"  # an empty frame breaks the model


def same(mine: Said, other: Said) -> None:
    if isinstance(mine, str) or isinstance(other, str):
        assert mine == other
    else:
        np.testing.assert_array_equal(np.array(mine), np.array(other))


FLOATS = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70)
ODD = st.sampled_from(["17", " 3 ", "abc", "", "nan", "-Infinity", "1_0", "1e5", "0x1", "NA", True, False, [1], [1, 2], {"x": 1}, math.nan, math.inf])
CELLS = st.one_of(FLOATS, FLOATS, FLOATS, ODD)
OTHERS = st.one_of(FLOATS, st.text(max_size=3), st.lists(st.integers(), max_size=2), st.booleans())
ROW = st.lists(CELLS, min_size=3, max_size=3)
COLUMNS = st.permutations(NAMES)


@st.composite
def records(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Now and then without a column, or with one more."""
    found = []
    for _ in range(draw(st.integers(1, 4))):
        record = dict(zip(draw(COLUMNS), draw(ROW), strict=True))
        if draw(st.integers(0, 9)) == 0:
            del record[draw(st.sampled_from(NAMES))]
        if draw(st.integers(0, 5)) == 0:
            record["other"] = draw(OTHERS)
        found.append(record)
    return found


@given(columns=COLUMNS, rows=st.lists(ROW, max_size=5))
def test_dataframe_split(columns: list[str], rows: list[list[Any]]) -> None:
    body = json.dumps({"dataframe_split": {"columns": columns, "data": rows}})
    same(ours(body), theirs(body))


@given(columns=st.lists(st.sampled_from([*NAMES, "d", ""]), max_size=6), data=st.data())
def test_dataframe_split_with_columns_missing_given_twice_or_unknown(columns: list[str], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.lists(FLOATS, min_size=max(0, len(columns) - 1), max_size=len(columns)), min_size=1, max_size=4))
    body = json.dumps({"dataframe_split": {"columns": columns, "data": rows}})
    same(ours(body), theirs(body))


@given(records=records())
def test_dataframe_records(records: list[dict[str, Any]]) -> None:
    body = json.dumps({"dataframe_records": records})
    same(ours(body), theirs(body))


@given(records=records())
def test_instances(records: list[dict[str, Any]]) -> None:
    body = json.dumps({"instances": records})
    same(ours(body), theirs(body))


@given(given_=st.lists(st.lists(CELLS, min_size=1, max_size=4), min_size=1, max_size=4) | st.lists(CELLS, max_size=4) | CELLS)
@example(given_=None)
def test_values_without_names(given_: Any) -> None:
    for form in ("instances", "inputs"):
        body = json.dumps({form: given_})
        same(ours(body), theirs(body))


@given(columns=st.dictionaries(st.sampled_from([*NAMES, "other"]), CELLS | st.lists(CELLS, min_size=1, max_size=2), min_size=2))
def test_values_by_column(columns: dict[str, Any]) -> None:
    if isinstance(columns.get("other"), dict):  # ours leaves it alone
        del columns["other"]
    for form in ("instances", "inputs"):
        body = json.dumps({form: columns})
        same(ours(body), theirs(body))


@given(records=records())
def test_inputs_by_row(records: list[dict[str, Any]]) -> None:
    body = json.dumps({"inputs": records})
    same(ours(body), theirs(body))


CSV_CELLS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False, width=32).map(repr),
    st.integers(-(10**6), 10**6).map(str),
    st.sampled_from(["", "NA", "null", "nan", '"7"', " 17 ", "True", "false", "inf", "-Infinity", "1e5", "1.", ".5", "x", "1_7", "NAN", '"a,b"', "  ", "0x1"]),
)


@given(
    header=st.permutations([*NAMES, "d"]),
    rows=st.lists(st.lists(CSV_CELLS, min_size=4, max_size=4), min_size=1, max_size=4),
    end=st.sampled_from(["\n", "\r\n"]),
    last=st.booleans(),
)
def test_csv(header: list[str], rows: list[list[str]], end: str, last: bool) -> None:
    body = end.join([",".join(header), *(",".join(row) for row in rows)]) + (end if last else "")
    mine, other = ours(body, "text/csv"), theirs(body, "text/csv")
    if isinstance(mine, str) or isinstance(other, str):
        assert mine == other
    else:
        np.testing.assert_allclose(np.array(mine), np.array(other), rtol=1e-13)  # pandas reads 17 digits of a number, zeros in front included


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("a,b,c\n1,2\n", id="a-short-row"),
        pytest.param("a,b,c\n9,1,2,3\n", id="a-first-column-without-a-name-is-an-index"),
        pytest.param("a,b,c\n1,2,3\n1,2,3,4\n", id="a-later-row-that-is-longer"),
        pytest.param("a,b,c,a\n1,2,3,4\n", id="a-name-given-twice"),
        pytest.param("b,c\n1,2\n", id="a-missing-column"),
        pytest.param("a, b, c\n1,2,3\n", id="spaces-in-names"),
        pytest.param("\n\na,b,c\n\n1,2,3\n   \n", id="blank-lines"),
        pytest.param('"a","b","c"\n"1","2","3"', id="quotes"),
        pytest.param('a,b,c,d\n1,2,3,"x\ny ""z"""\n4,5,6,', id="a-quoted-line-break"),
        pytest.param('a,b,c\n1,2,"3\n', id="an-open-quote"),
        pytest.param('a,b,c\n1,"2"2,3', id="more-after-a-quote"),
        pytest.param("a;b;c\n1;2;3", id="semicolons"),
        pytest.param("a,b,c\n", id="a-header-alone"),
        pytest.param("", id="nothing"),
        pytest.param("a,b,c\n1,True,2\n3,4,5", id="truth-and-number-in-a-column"),
    ],
)
def test_csv_with_irregularities(body: str) -> None:
    same(ours(body, "text/csv"), theirs(body, "text/csv"))


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=UTF-8", "text/csv;charset=utf-8"])
def test_content_types_that_are_understood(kind: str) -> None:
    assert media_type(kind) == kind.partition(";")[0]


@pytest.mark.parametrize("kind", [None, "", "application/json;", 'text/csv; charset="utf-8"', "Application/JSON", "text/csv; header=present", "text/html"])
def test_content_types_that_are_not(kind: str | None) -> None:
    with pytest.raises(UnsupportedType):
        media_type(kind)


@given(values=st.lists(st.floats(), max_size=20))
def test_predictions_are_the_same_doubles_when_read_again(values: list[float]) -> None:
    np.testing.assert_array_equal(np.array(json.loads(predictions_body(np.array(values)))["predictions"]), np.array(values))


def test_refusals_say_which_column_and_nothing_of_a_library() -> None:
    with pytest.raises(Unusable, match=r"column 'b' is neither a number nor null"):
        READER.read(json.dumps({"dataframe_records": [{"a": 1, "b": "x" * 10_000, "c": 1}]}).encode(), "application/json")
    with pytest.raises(Unusable, match=r"missing columns: 'b', 'c'"):
        READER.read(b'{"dataframe_records": [{"a": 1}]}', "application/json")
