"""Whatever a folder holds, every row and file of the asked days is in some batch, and one bad value moves no end."""

import json
from datetime import date, datetime
from pathlib import Path

import pandas as pd
import pytest
import typer
from rich.console import Console

from evergreen.cli.batches import Lists, cut, read_lists, with_the_rest
from evergreen.cli.data import read_batches
from evergreen.cli.demo import read_story
from evergreen.cli.loading import fail_over_unreadable
from evergreen.core.errors import DataRejected, EvergreenError
from evergreen.domains.videos.simulator import simulate

FIRST, LAST = date(2025, 3, 1), date(2025, 3, 14)
TODAY = date(2025, 4, 1)


def folder(path: Path, **texts: str) -> Path:
    """Two good weeks in one CSV, and files with the given content beside it."""
    path.mkdir(exist_ok=True)
    good(path / "lists_KR.csv")
    for name, text in texts.items():
        (path / name.replace("__", ".")).write_text(text)
    return path


def good(path: Path) -> pd.DataFrame:
    rows = simulate(FIRST, LAST, seed=7)
    rows.drop(columns="load_error", errors="ignore").to_csv(path, index=False)
    return rows


def test_the_half_last_line_of_a_file_is_in_the_last_batch(tmp_path: Path) -> None:
    whole = good(tmp_path / "lists_KR.csv")
    with (tmp_path / "lists_KR.csv").open("a") as file:
        file.write("KR,20")
    batches = read_batches(tmp_path, "KR", None, None, 7)
    assert sum(len(batch.rows) for batch in batches) == len(whole) + 1
    assert batches[-1].rows["list_date"].isna().sum() == 1
    assert (batches[0].first_day, batches[-1].last_day) == (FIRST, LAST)


@pytest.mark.parametrize("day", ["2052-01-01", "1970-01-01"])
def test_a_row_of_an_impossible_day_does_not_move_the_ends_and_is_not_lost(tmp_path: Path, day: str) -> None:
    whole = good(tmp_path / "lists_KR.csv")
    line = (tmp_path / "lists_KR.csv").read_text().splitlines()[1].replace("2025-03-01", day, 1)
    with (tmp_path / "lists_KR.csv").open("a") as file:
        file.write(line + "\n")
    batches = read_batches(tmp_path, "KR", None, None, 7)
    assert (batches[0].first_day, batches[-1].last_day) == (FIRST, LAST)
    assert sum(len(batch.rows) for batch in batches) == len(whole) + 1
    assert str(batches[-1].rows["list_date"].iloc[-1])[:10] == day


def test_an_end_the_caller_gives_is_his(tmp_path: Path) -> None:
    rows = simulate(FIRST, LAST, seed=7)
    later = rows.assign(list_date=rows["list_date"] + pd.Timedelta(days=20_000))
    later.to_parquet(tmp_path / "lists_KR.parquet")
    with pytest.raises(EvergreenError, match=r"holds no list of region KR in 2005-04-23…2025-04-01; it has 2079-12-03…2079-12-16"):
        read_lists(tmp_path, "KR", first=None, last=None, today=TODAY, say=typer.echo)
    batches = read_batches(tmp_path, "KR", None, datetime(2079, 12, 10), 7)  # noqa: DTZ001 - as the command line gives it
    assert batches[-1].last_day == date(2079, 12, 10)
    assert sum(len(batch.rows) for batch in batches) == (later["list_date"] <= "2079-12-10").sum()


def test_files_nobody_can_read_go_with_their_day_or_the_last_batch_and_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder(tmp_path, trending_videos_KR_20250303__json="[{", notes__json='{"my": 1}', empty__csv="", trending_videos_KR_20250315__json="[{")
    first, last = read_batches(tmp_path, "KR", None, None, 7)
    assert [file.name for file in first.unreadable] == ["trending_videos_KR_20250303.json"]
    assert [file.name for file in last.unreadable] == ["empty.csv", "notes.json", "trending_videos_KR_20250315.json"]
    assert "trending_videos_KR_20250303.json: not whole JSON" in capsys.readouterr().err
    with pytest.raises(EvergreenError, match=r"4 files could not be read: trending_videos_KR_20250303\.json, empty\.csv.*; the others are in"):
        fail_over_unreadable([first, last])


def test_a_bad_file_of_a_day_nobody_asked_for_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder(tmp_path, trending_videos_KR_20250303__json="[{")
    (batch,) = read_batches(tmp_path, "KR", datetime(2025, 3, 8), None, 7)  # noqa: DTZ001 - as the command line gives it
    assert (batch.first_day, batch.unreadable) == (date(2025, 3, 8), ())
    assert capsys.readouterr().err == ""


def test_with_nothing_to_load_the_bad_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "trending_videos_KR_20250303.json").write_text("[{")
    with pytest.raises(DataRejected, match="not whole JSON"):
        read_batches(tmp_path, "KR", None, None, 7)


def test_a_file_of_a_day_without_a_batch_goes_with_the_next_one(tmp_path: Path) -> None:
    rows = simulate(FIRST, LAST, seed=7)
    made = [*cut(rows, FIRST, date(2025, 3, 2), 2), *cut(rows, date(2025, 3, 10), LAST, 5)]
    empty = rows.iloc[:0]
    first, second = with_the_rest(made, Lists(rows, empty, (tmp_path / "KR_20250305.json",)), catch_all=0)
    assert (first.unreadable, [file.name for file in second.unreadable]) == ((), ["KR_20250305.json"])


def test_the_demo_reads_on_past_a_bad_file_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    simulate(date(2025, 2, 23), date(2025, 9, 7), seed=7).to_parquet(tmp_path / "lists_KR.parquet")
    (tmp_path / "half.json").write_text(json.dumps([1])[:-1])
    lists = read_story(Console(), tmp_path, "KR")
    assert [file.name for file in lists.unreadable] == ["half.json"]
    assert "half.json: not whole JSON" in capsys.readouterr().out


@pytest.mark.parametrize(("first", "last"), [(date(2025, 6, 20), date(2025, 9, 7)), (date(2025, 2, 23), date(2025, 8, 1))])
def test_data_that_does_not_cover_the_story_is_refused_before_anything_starts(tmp_path: Path, first: date, last: date) -> None:
    simulate(first, last, seed=7).to_parquet(tmp_path / "lists_KR.parquet")
    with pytest.raises(EvergreenError, match=f"does not cover the story.*it has {first}…{last}"):
        read_story(Console(), tmp_path, "KR")
