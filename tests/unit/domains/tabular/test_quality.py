"""What of a batch enters silver, by what its spec declares."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.contracts.events import DataIngested, Window
from evergreen.core.severity import Severity
from evergreen.domains.tabular.quality import validate
from evergreen.domains.tabular.row import silver_columns
from evergreen.domains.tabular.spec import tabular_dataset
from evergreen.domains.tabular.spec_file import parse_spec
from evergreen.services.batch_checks import check_batch

FLATS = parse_spec(
    """name = "flats"
kind = "regression"
[time]
column = "at_time"
[target]
column = "price"
[entity]
column = "id"
[numbers.area]
min = 0
max = 500
required = true
[numbers.age]
nulls = 0.1
[categories.district]
values = ["north", "south"]
""",
    folder="flats",
)
KNOWN = date(2025, 3, 31)


def batch(rows: int = 20, **cells: Any) -> pd.DataFrame:
    """Good rows of one day, cells as text as a CSV has them."""
    made = {
        "id": [f"L{at}" for at in range(rows)],
        "at_time": ["2025-03-02T10:00:00Z"] * rows,
        "price": ["300"] * rows,
        "area": ["80.5"] * rows,
        "age": ["10"] * rows,
        "district": ["north"] * rows,
    }
    return pd.DataFrame(made | cells)


def with_cell(column: str, value: Any) -> pd.DataFrame:
    return batch().assign(**{column: [value, *batch()[column].tolist()[1:]]})


def test_good_rows_enter_with_silvers_types() -> None:
    checked = validate(batch(), KNOWN, FLATS)
    assert (len(checked.clean), len(checked.quarantined), checked.severity) == (20, 0, None)
    assert {name: str(dtype) for name, dtype in checked.clean.dtypes.items()} == silver_columns(FLATS)


@pytest.mark.parametrize(
    ("column", "value", "kind", "reason"),
    [
        ("area", None, "missing", "area: missing"),
        ("area", "12 m2", "unreadable", "no finite number"),
        ("area", "inf", "unreadable", "no finite number"),
        ("area", "501", "out_of_range", "out of range (0 to 500)"),
        ("price", "a lot", "unreadable", "price: no finite number"),
        ("at_time", None, "missing", "at_time: missing"),
        ("at_time", "soon", "unreadable", "no time as ISO 8601"),
        ("at_time", "0001-01-01", "unreadable", "between 1900 and 2200"),
        ("at_time", "2025-04-01T00:00:00Z", "future", "after 2025-03-31"),
        ("id", "L1", "duplicate", "already holds"),
        ("id", None, "missing", "id: missing"),
        ("id", "a b", "malformed", "without a space"),
        ("id", "x" * 200, "malformed", "1 to 100"),
    ],
)
def test_a_broken_row_goes_aside_with_its_reason(column: str, value: Any, kind: str, reason: str) -> None:
    checked = validate(with_cell(column, value), KNOWN, FLATS)
    assert (len(checked.clean), len(checked.quarantined)) == (19, 1)
    assert kind in {finding.kind for finding in checked.findings}
    assert reason in checked.quarantined["reason"].iloc[0]


def test_what_is_not_declared_is_no_fault() -> None:
    """Another district, a price not known yet, an age that is often missing, a column more."""
    for rows in (with_cell("district", "mars"), with_cell("price", None), with_cell("age", None), batch().assign(more="x")):
        assert len(validate(rows, KNOWN, FLATS).clean) == 20


def test_half_a_day_without_a_column_is_an_incident() -> None:
    checked = validate(batch(age=[None] * 10 + ["10"] * 10), KNOWN, FLATS)
    assert (len(checked.clean), checked.severity) == (10, Severity.HIGH)
    assert checked.findings[0].kind == "incident"
    assert checked.findings[0].column == "age"


def test_a_shift_of_the_mix_is_none() -> None:
    assert validate(batch(district=["south"] * 20, age=["60"] * 20), KNOWN, FLATS).findings == ()


def test_a_batch_without_a_declared_column_says_so() -> None:
    checked = validate(batch().drop(columns="area"), KNOWN, FLATS)
    assert checked.clean.empty
    assert checked.severity is Severity.HIGH
    assert {"schema", "missing"} <= {finding.kind for finding in checked.findings}


def test_rows_without_a_name_are_known_by_their_cells() -> None:
    unnamed = parse_spec('name = "flats"\nkind = "regression"\n[time]\ncolumn = "at_time"\n[target]\ncolumn = "price"\n[numbers.area]\n', folder="flats")
    rows = pd.DataFrame({"at_time": ["2025-03-02"] * 3, "price": ["1", "2", "1"], "area": ["5", "5", "5"]})
    first, again = validate(rows, KNOWN, unnamed), validate(rows.iloc[::-1], KNOWN, unnamed)
    assert len(first.clean) == 2, "an exact repeat of a row is one row"
    assert set(first.clean["entity"]) == set(again.clean["entity"])


CELLS = st.one_of(
    st.none(),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=2), st.none(), max_size=1),
    st.text(max_size=8),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.dates(),
    st.sampled_from(["2025-03-02", "80", "north", "L1"]),
)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(batch().columns, CELLS)), max_size=12))
def test_every_row_is_in_exactly_one_place_and_nothing_raises(rows: list[dict[str, Any]]) -> None:
    received = pd.DataFrame(rows).astype(object)
    checked = validate(received, KNOWN, FLATS)
    assert len(checked.clean) + len(checked.quarantined) == len(received)
    assert checked.clean["area"].between(0, 500).all()
    assert np.isfinite(checked.clean["price"].dropna()).all()


@pytest.mark.parametrize("daily", [True, False])
def test_a_day_without_rows_is_said_only_where_every_day_has_some(daily: bool) -> None:
    dataset = tabular_dataset(replace(FLATS, daily=daily))
    window = Window(first_day=date(2025, 3, 1), last_day=date(2025, 3, 4))
    announced = DataIngested(batch_id="b", dataset="flats.rows", path="b.parquet", rows=20, window=window, sha256="0" * 64)
    found = check_batch(batch(), dataset, announced, date(2025, 3, 4)).findings
    assert [finding.kind for finding in found] == (["empty_day"] if daily else [])


def test_a_row_set_aside_says_of_whom_and_when_it_was() -> None:
    """Silver's key beside what was received: the next row of that name is not its first."""
    quarantined = validate(with_cell("area", None), KNOWN, FLATS).quarantined
    assert quarantined[["id", "day"]].to_numpy().tolist() == [["L0", pd.Timestamp(2025, 3, 2)]]
