"""A person leaves the lake too: tables, their older versions, kept batches."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from evergreen.adapters.delta_lake import DeltaLake
from evergreen.adapters.lake_erasure import erase_rows
from evergreen.ports.dataset import Checked, Dataset, GoldTable

DAY = date(2025, 7, 1)


def dataset() -> Dataset:
    return Dataset(
        name="movies",
        table="movies",
        scope={},
        columns={"day": "datetime64[us]", "user_id": "str", "movie_id": "str"},
        key=("user_id", "movie_id"),
        day_column="day",
        entity_column="user_id",
        validate=lambda received, _: Checked(received, received.head(0)),
        gold={"liked": GoldTable(lambda rows: rows)},
        online=lambda _rows, _entities: (),
        catalogue=lambda _rows: (),
    )


@pytest.fixture
def rows() -> pd.DataFrame:
    users = ["ann", "bob", "o'hara", "ann"]
    day = pd.Series([pd.Timestamp(DAY)] * 4).astype("datetime64[us]")
    return pd.DataFrame({"day": day, "user_id": users, "movie_id": ["1", "1", "2", "3"]}).astype({"user_id": "str", "movie_id": "str"})


@pytest.mark.parametrize(("user", "count"), [("ann", 4), ("o'hara", 2), ("nobody", 0)])
def test_no_file_of_the_lake_names_who_was_erased(tmp_path: Path, rows: pd.DataFrame, user: str, count: int) -> None:
    lake = DeltaLake(tmp_path, {"movies": dataset()})
    lake.keep_bronze("movies", "b1", rows, rows.head(2).assign(reason="test"))
    lake.merge_silver("movies", rows)
    lake.write_gold("movies", {"liked": rows}, first_day=DAY, last_day=DAY)

    assert erase_rows(tmp_path, "movies", "user_id", user) == count

    assert erase_rows(tmp_path, "movies", "user_id", user) == 0
    others = sorted(set(rows["user_id"]) - {user})
    assert sorted(set(lake.silver("movies")["user_id"])) == others
    assert sorted(set(lake.gold("movies", "liked")["user_id"])) == others
    files = list(tmp_path.rglob("*.parquet"))
    assert len(files) >= 4
    for file in files:
        assert user not in set(pd.read_parquet(file)["user_id"].astype(str)), file
