import csv
import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evergreen.core.errors import DataRejected
from evergreen.domains.videos.coerce import coerce_batch
from evergreen.domains.videos.loaders import load_lists
from evergreen.domains.videos.quality import validate
from evergreen.domains.videos.schema import BATCH_COLUMNS, LOAD_ERROR, NAMES, empty_batch

ROW_2025 = {
    "region": "KR",
    "trending_date": pd.Timestamp("2025-03-01"),
    "rank": 1,
    "video_id": "abcdefghijk",
    "title": "드디어 공개",
    "channel_id": "UC1",
    "channel_title": "채널",
    "category_id": 10,
    "published_at": pd.Timestamp("2025-02-28T09:00:00Z"),
    "default_language": None,
    "tag_count": 3,
    "description_len": 40,
    "live_broadcast": "none",
    "view_count": 1000,
    "like_count": 50,
    "comment_count": 7,
}
ROW_2020 = {
    **{name: value for name, value in ROW_2025.items() if name not in {"rank", "default_language", "live_broadcast"}},
    "dislike_count": 4,
    "comments_disabled": False,
    "ratings_disabled": False,
}
ROW_2017 = {
    name: value for name, value in ROW_2020.items() if name not in {"published_at", "channel_id", "description_len", "comments_disabled", "ratings_disabled"}
}
KAGGLE_2020 = {
    "video_id": "abcdefghijk",
    "title": "드디어 공개",
    "publishedAt": "2025-02-28T09:00:00Z",
    "channelId": "UC1",
    "channelTitle": "채널",
    "categoryId": "10",
    "trending_date": "20250301T00:00:00Z",
    "tags": "하나|둘|셋",
    "view_count": "1000",
    "likes": "50",
    "dislikes": "4",
    "comment_count": "7",
    "thumbnail_link": "x",
    "comments_disabled": "False",
    "ratings_disabled": "False",
    "description": "d" * 40,
}
KAGGLE_2017 = {
    "video_id": "abcdefghijk",
    "trending_date": "25.01.03",
    "title": "드디어 공개",
    "channel_title": "채널",
    "category_id": "10",
    "publish_time": "2025-02-28T09:00:00.000Z",
    "tags": '하나|"둘"|"셋"',
    "views": "1000",
    "likes": "50",
    "dislikes": "4",
    "comment_total": "7",
}


def api_item(name: str = "abcdefghijk") -> dict[str, Any]:
    return {
        "kind": "youtube#video",
        "id": name,
        "snippet": {
            "publishedAt": "2025-02-28T09:00:00Z",
            "channelId": "UC1",
            "title": "드디어 공개",
            "description": "d" * 40,
            "channelTitle": "채널",
            "tags": ["하나", "둘", "셋"],
            "categoryId": "10",
            "liveBroadcastContent": "live",
            "defaultAudioLanguage": "ko",
        },
        "contentDetails": {"duration": "PT3M5S"},
        "statistics": {"viewCount": "1000", "likeCount": "50", "commentCount": "7"},
    }


def write_csv(path: Path, *rows: dict[str, Any]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_json(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document, ensure_ascii=False, default=str), encoding="utf-8")
    return path


def write_parquet(path: Path, *rows: dict[str, Any]) -> Path:
    pd.DataFrame(list(rows)).to_parquet(path)
    return path


WHOLE = {"tag_count": 3, "description_length": 40, "view_count": 1000, "like_count": 50, "comment_count": 7, "category_id": 10}


def check_typed(batch: pd.DataFrame) -> None:
    assert list(batch.columns) == [*NAMES, LOAD_ERROR]
    assert {column.name: str(batch[column.name].dtype) for column in BATCH_COLUMNS} == {column.name: column.dtype for column in BATCH_COLUMNS}


@pytest.mark.parametrize("suffix", ["parquet", "csv", "json", "jsonl"])
@pytest.mark.parametrize("row", [pytest.param(ROW_2025, id="2025"), pytest.param(ROW_2020, id="2020"), pytest.param(ROW_2017, id="2017")])
def test_every_schema_loads_from_every_kind_of_file(tmp_path: Path, row: dict[str, Any], suffix: str) -> None:
    path = tmp_path / f"lists.{suffix}"
    if suffix == "parquet":
        write_parquet(path, row)
    elif suffix == "csv":
        write_csv(path, row)
    else:
        write_json(path, [row] if suffix == "json" else row)
    batch = load_lists(path, "KR")
    check_typed(batch)
    loaded = batch.iloc[0]
    known = {name: value for name, value in WHOLE.items() if name != "description_length" or "description_len" in row}
    assert {name: loaded[name] for name in known} == known
    assert loaded["list_date"] == pd.Timestamp("2025-03-01")
    assert loaded["published_at"] == pd.Timestamp("2025-02-28T09:00:00Z") if "published_at" in row else pd.isna(loaded["published_at"])
    assert pd.isna(loaded["channel_id"]) == ("channel_id" not in row)
    assert pd.isna(loaded[LOAD_ERROR])


@pytest.mark.parametrize("row", [pytest.param(KAGGLE_2020, id="2020"), pytest.param(KAGGLE_2017, id="2017")])
def test_kaggles_own_columns_and_the_region_in_the_file_name(tmp_path: Path, row: dict[str, Any]) -> None:
    batch = load_lists(write_csv(tmp_path / "KRvideos.csv", row), "KR")
    loaded = batch.iloc[0]
    assert loaded["region"] == "KR"
    assert loaded["list_date"] == pd.Timestamp("2025-03-01")
    assert {name: loaded[name] for name in WHOLE if name in {"tag_count", "view_count", "like_count", "comment_count"}} == {
        "tag_count": 3,
        "view_count": 1000,
        "like_count": 50,
        "comment_count": 7,
    }


@pytest.mark.parametrize("shape", ["list", "items"])
def test_a_folder_of_daily_answers_of_the_data_api(tmp_path: Path, shape: str) -> None:
    for day, names in {"20250301": ["a" * 11, "b" * 11], "20250303": ["a" * 11], "20250304": []}.items():
        items = [api_item(name) for name in names]
        write_json(tmp_path / f"trending_videos_KR_{day}.json", items if shape == "list" else {"items": items})
    write_json(tmp_path / "trending_videos_US_20250301.json", [api_item()])
    batch = load_lists(tmp_path, "KR")
    check_typed(batch)
    assert [(f"{day:%m-%d}", rank, name[0]) for day, rank, name in zip(batch["list_date"], batch["rank"], batch["video_id"], strict=True)] == [
        ("03-01", 1, "a"),
        ("03-01", 2, "b"),
        ("03-03", 1, "a"),
    ]
    first = batch.iloc[0]
    assert (first["duration"], first["is_live"], first["default_language"], first["tag_count"]) == (185.0, True, "ko", 3)
    assert set(batch["list_date"].dt.date) == {date(2025, 3, 1), date(2025, 3, 3)}  # the day with an empty list is absent


def test_a_hidden_count_is_null_and_no_error(tmp_path: Path) -> None:
    item = api_item()
    del item["statistics"]["likeCount"]
    batch = load_lists(write_json(tmp_path / "trending_videos_KR_20250301.json", [item]), "KR")
    assert batch["like_count"].isna().all()
    assert batch[LOAD_ERROR].isna().all()


def test_an_empty_list_is_an_empty_batch(tmp_path: Path) -> None:
    batch = load_lists(write_json(tmp_path / "trending_videos_KR_20250301.json", []), "KR")
    assert batch.empty
    pd.testing.assert_frame_equal(batch, empty_batch())


def test_a_folder_gives_the_regions_files_only(tmp_path: Path) -> None:
    write_parquet(tmp_path / "trending_KR_2025.parquet", ROW_2025)
    write_parquet(tmp_path / "trending_US_2025.parquet", {**ROW_2025, "region": "US"})
    write_json(tmp_path / "KR_category_id.json", {"items": [{"id": "1"}]})
    (tmp_path / "README.md").write_text("notes")
    assert load_lists(tmp_path, "KR")["region"].tolist() == ["KR"]
    with pytest.raises(DataRejected, match=r"no file for region JP \(has KR, US\)"):
        load_lists(tmp_path, "JP")


def test_our_own_batches_load_again_unchanged(tmp_path: Path) -> None:
    batch = load_lists(write_parquet(tmp_path / "a_KR.parquet", ROW_2025, {**ROW_2025, "video_id": "second", "view_count": None}), "KR")
    batch.to_parquet(tmp_path / "again.parquet", index=False)
    pd.testing.assert_frame_equal(load_lists(tmp_path / "again.parquet", "KR"), batch)


def test_a_column_that_was_pandas_index_is_a_column(tmp_path: Path) -> None:
    pd.DataFrame([ROW_2025, {**ROW_2025, "video_id": "second"}]).set_index("video_id").to_parquet(tmp_path / "indexed_KR.parquet")
    assert load_lists(tmp_path, "KR")["video_id"].tolist() == ["abcdefghijk", "second"]


def test_broken_rows_stay_with_a_reason(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "KRvideos.csv", KAGGLE_2020, {**KAGGLE_2020, "view_count": "many", "publishedAt": "soon"})
    with path.open("a", encoding="utf-8") as file:
        file.write("zzz,cut\n")
    batch = load_lists(path, "KR")
    assert len(batch) == 3
    reasons = batch.set_index("video_id")[LOAD_ERROR]
    assert reasons.tolist().count("published_at: not a time: 'soon'; view_count: not a whole number: 'many'") == 1
    assert reasons["zzz"] == "row: 2 of 16 fields (line 4)"


def test_a_broken_json_line_is_a_broken_row(tmp_path: Path) -> None:
    path = tmp_path / "lists_KR.jsonl"
    path.write_text(json.dumps(ROW_2025, default=str) + '\n{"video_id": "cut\n', encoding="utf-8")
    batch = load_lists(path, "KR")
    assert len(batch) == 2
    assert batch[LOAD_ERROR].str.contains("line 2", na=False).tolist() == [False, True]


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def half(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def test_files_that_cannot_be_read_are_named_with_the_cause(tmp_path: Path) -> None:
    broken = {
        half(write_json(tmp_path / "half_KR_20250301.json", [api_item()])): "not whole JSON",
        half(write_parquet(tmp_path / "half_KR.parquet", *[ROW_2025] * 50)): "not a whole Parquet file",
        write_parquet(tmp_path / "other_KR.parquet", {"a": 1}): "no column for video_id",
        write_csv(tmp_path / "other_KR.csv", {"a": 1, "b": 2}): "no column for video_id",
        write_json(tmp_path / "other_KR_20250301.json", [{"a": 1}]): "no column for video_id",
        write_json(tmp_path / "number_KR.json", 5): "neither a JSON list",
        written(tmp_path / "digits_KR.json", "[" + "9" * 5000 + "]"): "not a list anybody can read",
        written(tmp_path / "deep_KR.json", "[" * 100_000): "not a list anybody can read",
        write_json(tmp_path / "dateless_KR.json", [api_item()]): "no list date",
        write_parquet(tmp_path / "us.parquet", {**ROW_2025, "region": "US"}): r"no rows of region KR \(has US\)",
        write_csv(tmp_path / "USvideos.csv", KAGGLE_2020): "holds region US, not KR",
        write_parquet(tmp_path / "keyless_KR.parquet", {**ROW_2025, "video_id": None}): "not one row can be read",
        tmp_path / "absent.parquet": "no such file or folder",
    }
    for path, cause in broken.items():
        with pytest.raises(DataRejected, match=cause) as caught:
            load_lists(path, "KR")
        assert path.name in str(caught.value)


def test_one_broken_file_need_not_stop_a_folder(tmp_path: Path) -> None:
    write_json(tmp_path / "trending_videos_KR_20250301.json", [api_item()])
    half(write_json(tmp_path / "trending_videos_KR_20250302.json", [api_item()]))
    with pytest.raises(DataRejected, match="trending_videos_KR_20250302"):
        load_lists(tmp_path, "KR")
    refused: list[tuple[Path, DataRejected]] = []
    assert len(load_lists(tmp_path, "KR", on_rejected=lambda file, error: refused.append((file, error)))) == 1
    assert [(file.name, "not whole JSON" in str(error)) for file, error in refused] == [("trending_videos_KR_20250302.json", True)]


def test_an_empty_folder_and_a_foreign_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataRejected, match="holds no Parquet, CSV or JSON file"):
        load_lists(tmp_path, "KR")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DataRejected, match=r"notes\.txt: not a Parquet, CSV or JSON file"):
        load_lists(tmp_path / "notes.txt", "KR")


def test_any_value_is_read_or_named_never_raised() -> None:
    odd = pd.DataFrame({name: [None, "", "x", -1, 1.5, [1], {"a": 1}, float("inf"), True, b"\xff", 10**30] for name in NAMES})
    batch = coerce_batch(odd)
    check_typed(batch)
    assert batch.loc[0:1, LOAD_ERROR].isna().all()
    assert batch[LOAD_ERROR].str.startswith("region: not text").tolist()[5]


ODD = (
    "half a pair \ud83d",
    "nul \x00 inside",
    "PT" + "9" * 400 + "S",
    "PT" + "9" * 5000 + "S",
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00+09:00",
    np.array([1, 2]),
    np.array([]),
    10**400,
    10**5000,
)


@pytest.mark.parametrize("name", NAMES)
def test_no_value_of_a_file_stops_the_others(name: str) -> None:
    batch = coerce_batch(pd.DataFrame({name: pd.Series([*ODD, None], dtype="object")}))
    check_typed(batch)
    unfit = batch[LOAD_ERROR].str.startswith(f"{name}: not ").fillna(False).tolist()
    assert unfit[:2] == [True, True]  # in no column: nothing can store them
    assert unfit[6:10] == [True] * 4
    json.dumps(batch[LOAD_ERROR].dropna().tolist(), ensure_ascii=False).encode()


def test_half_a_surrogate_pair_in_a_json_list_is_one_broken_row(tmp_path: Path) -> None:
    items = [api_item("a"), api_item("b"), api_item("c")]
    items[1]["snippet"]["title"] = "half \ud83d"
    items[2]["snippet"]["title"] = "nul \x00"
    path = tmp_path / "trending_videos_KR_20250301.json"
    path.write_text(json.dumps(items))
    checked = validate(load_lists(path, "KR"))
    assert checked.clean["video_id"].tolist() == ["a"]
    assert [reason.split("; ")[0] for reason in checked.quarantined["reason"]] == ["title: not text: 'half \\ud83d'", "title: not text: 'nul \\x00'"]


def test_a_list_where_a_parquet_file_should_have_a_text_is_one_broken_row(tmp_path: Path) -> None:
    batch = load_lists(write_parquet(tmp_path / "a_KR.parquet", ROW_2025, {**ROW_2025, "video_id": "b"}), "KR")
    lists = pd.DataFrame([{**ROW_2025, "channel_title": ["a", "b"]}])
    lists.to_parquet(tmp_path / "b_KR.parquet")
    assert load_lists(tmp_path / "b_KR.parquet", "KR")[LOAD_ERROR].str.startswith("channel_title: not text").all()
    assert batch[LOAD_ERROR].isna().all()


def test_a_folder_says_the_region_where_its_files_do_not(tmp_path: Path) -> None:
    for place in ("US", "kr", "jp/2025"):
        (tmp_path / place).mkdir(parents=True)
        write_json(tmp_path / place / "20250301.json", [api_item(place[:2])])
    assert load_lists(tmp_path, "KR")["video_id"].tolist() == ["kr"]
    assert load_lists(tmp_path, "JP")["video_id"].tolist() == ["jp"]
    assert load_lists(tmp_path / "kr", "KR")["video_id"].tolist() == ["kr"]
    with pytest.raises(DataRejected, match=r"no file for region KR \(has US\)"):
        load_lists(tmp_path / "US", "KR")
    with pytest.raises(DataRejected, match="holds region US, not KR"):
        load_lists(tmp_path / "US" / "20250301.json", "KR")
    (tmp_path / "kr" / "20250302.json").symlink_to(tmp_path / "US" / "20250301.json")
    assert len(load_lists(tmp_path, "KR")) == 2  # a link lies where it is, not where it points


def test_a_list_of_no_region_beside_lists_of_several_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "trending_videos_KR_20250301.json", [api_item()])
    write_json(tmp_path / "trending_videos_US_20250301.json", [api_item()])
    write_parquet(tmp_path / "own.parquet", {**ROW_2025, "video_id": "own"})  # it has a column that says so
    assert load_lists(tmp_path, "KR")["video_id"].tolist() == ["own", "abcdefghijk"]
    write_json(tmp_path / "20250302.json", [api_item()])
    with pytest.raises(DataRejected, match=r"20250302\.json: names no region, and beside it are lists of US; put KR into its name"):
        load_lists(tmp_path, "KR")


@pytest.mark.parametrize(("region", "rows", "days"), [("KR", 17_948 + 992, 367), ("US", 17_946 + 872 + 5_792, 393), ("JP", 17_146 + 658, 347)])
def test_the_real_lists_load_whole(real: Path, region: str, rows: int, days: int) -> None:
    batch = load_lists(real, region)
    check_typed(batch)
    assert (len(batch), batch["list_date"].nunique(), batch[LOAD_ERROR].notna().sum()) == (rows, days, 0)
