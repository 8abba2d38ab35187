"""One behaviour, every lake: Delta tables on disk and the twin in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from evergreen.adapters.delta_lake import DeltaLake
from evergreen.adapters.memory.lake import MemoryLake
from evergreen.core.errors import NotFound
from evergreen.domains.videos.dataset import video_dataset
from evergreen.domains.videos.schema import NAMES
from evergreen.domains.videos.simulator import simulate
from evergreen.ports.lake import BatchRejected, Lake

DATASETS = {f"videos.{region}": video_dataset(region) for region in ("KR", "US")}
START = date(2025, 6, 28)


def days_of(region: str, first: date, last: date) -> pd.DataFrame:
    rows = simulate(START, date(2025, 7, 8), seed=3, region=region)
    chosen = (rows["list_date"] >= pd.Timestamp(first)) & (rows["list_date"] <= pd.Timestamp(last))
    return rows.loc[chosen, list(NAMES)].reset_index(drop=True)


def test_an_empty_lake_has_the_columns_and_types_of_silver(lake: Lake):
    rows = lake.silver("videos.KR")
    assert rows.empty
    assert {name: str(dtype) for name, dtype in rows.dtypes.items()} == dict(DATASETS["videos.KR"].columns)
    assert lake.gold("videos.KR", "video_features").empty


def test_what_goes_in_comes_out_with_its_types_and_nothing_lost(lake: Lake):
    rows = days_of("KR", START, date(2025, 7, 3))
    lake.merge_silver("videos.KR", rows)
    found = lake.silver("videos.KR")
    key = ["list_date", "video_id"]
    pd.testing.assert_frame_equal(found.sort_values(key, ignore_index=True), rows.sort_values(key, ignore_index=True))


def test_the_same_rows_again_change_nothing(lake: Lake):
    rows = days_of("KR", START, date(2025, 7, 3))
    lake.merge_silver("videos.KR", rows)
    once = lake.silver("videos.KR")
    lake.merge_silver("videos.KR", rows.sample(frac=1.0, random_state=1))
    pd.testing.assert_frame_equal(lake.silver("videos.KR"), once)


def test_a_newer_row_of_a_key_takes_the_place_of_the_older(lake: Lake):
    rows = days_of("KR", START, START)
    lake.merge_silver("videos.KR", rows)
    changed = rows.head(1).assign(view_count=pd.array([123], dtype="Int64"))
    lake.merge_silver("videos.KR", changed)
    found = lake.silver("videos.KR")
    assert len(found) == len(rows)
    assert found.loc[found["video_id"] == changed["video_id"].iloc[0], "view_count"].tolist() == [123]


def test_a_key_twice_in_one_write_is_one_row(lake: Lake):
    rows = days_of("KR", START, START)
    lake.merge_silver("videos.KR", pd.concat([rows, rows]))
    assert len(lake.silver("videos.KR")) == len(rows)


def test_windows_are_inclusive_at_both_ends_and_cross_months(lake: Lake):
    lake.merge_silver("videos.KR", days_of("KR", START, date(2025, 7, 5)))
    found = lake.silver("videos.KR", first_day=date(2025, 6, 30), last_day=date(2025, 7, 1))
    assert sorted(set(found["list_date"].dt.date)) == [date(2025, 6, 30), date(2025, 7, 1)]
    assert lake.silver("videos.KR", last_day=START)["list_date"].dt.date.eq(START).all()
    assert lake.silver("videos.KR", first_day=date(2025, 7, 6)).empty


def test_regions_share_a_table_and_never_a_row(lake: Lake):
    lake.merge_silver("videos.KR", days_of("KR", START, START))
    lake.merge_silver("videos.US", days_of("US", START, START))
    lake.merge_silver("videos.US", days_of("US", START, START))
    assert set(lake.silver("videos.KR")["region"]) == {"KR"}
    assert set(lake.silver("videos.US")["region"]) == {"US"}


def test_gold_replaces_the_days_of_the_window_and_no_other(lake: Lake):
    build = DATASETS["videos.KR"].gold["category_daily"].build
    whole = build(days_of("KR", START, date(2025, 7, 3)))
    lake.write_gold("videos.KR", {"category_daily": whole}, first_day=START, last_day=date(2025, 7, 3))
    lake.write_gold("videos.US", {"category_daily": build(days_of("US", START, START))}, first_day=START, last_day=START)
    others = whole[whole["list_date"] != pd.Timestamp(2025, 7, 1)]
    emptied = others.assign(views=pd.array([7] * len(others), dtype="Int64"))
    lake.write_gold("videos.KR", {"category_daily": emptied}, first_day=date(2025, 7, 1), last_day=date(2025, 7, 2))
    found = lake.gold("videos.KR", "category_daily")
    assert date(2025, 7, 1) not in set(found["list_date"].dt.date)
    assert set(found.loc[found["list_date"] == pd.Timestamp(2025, 7, 2), "views"]) == {7}
    before = found[found["list_date"] < pd.Timestamp(2025, 7, 1)].sort_values(["list_date", "category_id"], ignore_index=True)
    expected = whole[whole["list_date"] < pd.Timestamp(2025, 7, 1)].reset_index(drop=True)
    pd.testing.assert_frame_equal(before[list(expected.columns)], expected, check_dtype=False)
    assert len(lake.gold("videos.US", "category_daily")) > 0
    assert lake.gold("videos.KR", "category_daily", first_day=date(2025, 7, 3))["list_date"].dt.date.eq(date(2025, 7, 3)).all()


def test_gold_features_survive_the_way_through_the_table(lake: Lake):
    table = DATASETS["videos.KR"].gold["video_features"].build(days_of("KR", START, date(2025, 7, 3)))
    lake.write_gold("videos.KR", {"video_features": table}, first_day=START, last_day=date(2025, 7, 3))
    key = ["list_date", "video_id"]
    found = lake.gold("videos.KR", "video_features").sort_values(key, ignore_index=True)
    pd.testing.assert_frame_equal(found[list(table.columns)], table.sort_values(key, ignore_index=True), check_dtype=False)


def test_compaction_keeps_every_row(lake: Lake):
    for offset in range(4):
        lake.merge_silver("videos.KR", days_of("KR", START + timedelta(days=offset), START + timedelta(days=offset)))
    before = lake.silver("videos.KR")
    upkeep = {table.table: table for table in lake.compact(keep_versions_for=timedelta(0))}
    pd.testing.assert_frame_equal(lake.silver("videos.KR"), before)
    assert upkeep["silver/videos"].files_after <= 2  # one per month


def test_an_unknown_dataset_is_named(lake: Lake):
    with pytest.raises(NotFound, match=r"videos\.XX.*videos\.KR"):
        lake.silver("videos.XX")


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        pytest.param(lambda path: path.unlink(), "missing_file", id="missing"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:1000]), "hash_mismatch", id="half-a-file"),
        pytest.param(lambda path: path.write_bytes(b"video_id,title\n"), "hash_mismatch", id="another-file"),
    ],
)
def test_a_batch_that_is_not_the_announced_one_is_refused(lake: Lake, tmp_path: Path, spoil: Callable[[Path], object], kind: str):
    path = tmp_path / "batch.parquet"
    days_of("KR", START, START).to_parquet(path)
    announced = hashlib.sha256(path.read_bytes()).hexdigest()
    assert len(lake.read_batch(str(path), announced)) > 0
    spoil(path)
    with pytest.raises(BatchRejected) as refused:
        lake.read_batch(str(path), announced)
    assert refused.value.kind == kind
    assert str(tmp_path) not in str(refused.value)


def test_half_a_file_announced_as_it_is_cannot_be_read(lake: Lake, tmp_path: Path):
    path = tmp_path / "batch.parquet"
    days_of("KR", START, START).to_parquet(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(BatchRejected, match="not a whole Parquet file") as refused:
        lake.read_batch(str(path), hashlib.sha256(path.read_bytes()).hexdigest())
    assert refused.value.kind == "unreadable"


def test_bronze_can_be_kept_twice_and_forgotten_once(lake: Lake):
    rows = days_of("KR", START, START)
    quarantined = rows.head(2).assign(reason="test")
    assert lake.keep_bronze("videos.KR", "b1", rows, quarantined) == lake.keep_bronze("videos.KR", "b1", rows, quarantined)
    lake.keep_rejected("videos.KR", "b2", {"kind": "unreadable"})
    assert lake.drop_bronze("videos.KR", ["b1", "never-there"]) == 1
    assert lake.drop_bronze("videos.KR", ["b1"]) == 0


def test_the_keys_of_rows_set_aside_are_known_as_far_as_they_can_be_read(lake: Lake):
    assert lake.set_aside("videos.KR").empty
    rows = days_of("KR", START, START)
    odd = rows.head(6).astype(object)
    odd.loc[0, "video_id"], odd.loc[1, "list_date"], odd.loc[2, "list_date"] = None, "soon", "2025-06-29"
    odd.loc[3, "region"], odd.loc[4, "region"] = "US", None
    lake.keep_bronze("videos.KR", "b1", rows, odd.assign(list_date=odd["list_date"].astype("str"), reason="test"))
    lake.keep_bronze("videos.KR", "b2", rows, rows.iloc[[5]].assign(reason="again"))
    lake.keep_bronze("videos.KR", "b3", rows, pd.DataFrame({"user": ["a"], "reason": ["another schema"]}))
    found = lake.set_aside("videos.KR")
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == {
        name: DATASETS["videos.KR"].columns[name] for name in ("region", "video_id", "list_date")
    }
    assert set(found["region"]) == {"KR"}
    expected = [(rows["video_id"][2], date(2025, 6, 29)), (rows["video_id"][4], START), (rows["video_id"][5], START)]
    assert sorted(zip(found["video_id"], found["list_date"].dt.date, strict=True)) == sorted(expected)
    assert lake.set_aside("videos.US").empty


def test_a_repaired_batch_leaves_nothing_aside(lake: Lake):
    rows = days_of("KR", START, START)
    lake.keep_bronze("videos.KR", "b1", rows, rows.head(2).assign(reason="test"))
    assert len(lake.set_aside("videos.KR")) == 2
    lake.keep_bronze("videos.KR", "b1", rows, rows.head(0).assign(reason=pd.Series([], dtype="str")))
    assert lake.set_aside("videos.KR").empty


@pytest.fixture(params=["memory", "delta"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    return MemoryLake(DATASETS) if request.param == "memory" else DeltaLake(tmp_path / "lake", DATASETS)
