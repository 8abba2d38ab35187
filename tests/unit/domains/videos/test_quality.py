from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from evergreen.core.severity import Severity
from evergreen.domains.videos.features import build_features
from evergreen.domains.videos.loaders import load_lists
from evergreen.domains.videos.names import TARGET
from evergreen.domains.videos.quality import REASON, ValidatedBatch, validate
from evergreen.domains.videos.schema import COUNTS, NAMES
from evergreen.domains.videos.simulator import Incident, simulate

DAY = date(2025, 3, 3)


@pytest.fixture
def week() -> pd.DataFrame:
    return simulate(date(2025, 3, 1), date(2025, 3, 7), 1)


def found(checked: ValidatedBatch) -> set[tuple[str, str | None, str]]:
    return {(issue.kind, issue.column, issue.severity.word) for issue in checked.issues}


def spoil(batch: pd.DataFrame, at: int, **values: Any) -> pd.DataFrame:
    spoilt = batch.astype(object)
    for name, value in values.items():
        spoilt.loc[at, name] = value
    return spoilt


def test_a_good_week_passes_whole(week: pd.DataFrame) -> None:
    checked = validate(week)
    assert checked.issues == []
    assert checked.quarantined.empty
    pd.testing.assert_frame_equal(checked.clean, week[list(NAMES)])


@pytest.mark.parametrize(
    ("values", "kind", "column", "reason"),
    [
        pytest.param({"video_id": None}, "missing", "video_id", "video_id: missing", id="no-key"),
        pytest.param({"list_date": None}, "missing", "list_date", "list_date: missing", id="no-day"),
        pytest.param({"title": " "}, "missing", "title", "title: missing", id="blank-title"),
        pytest.param({"video_id": "#NAME?"}, "malformed", "video_id", "video_id: not a video id", id="a-spreadsheets-id"),
        pytest.param({"view_count": "n/a"}, "unreadable", "view_count", "view_count: not a whole number: 'n/a'", id="text-for-a-count"),
        pytest.param({"view_count": -1}, "out_of_range", "view_count", "view_count: out of range (1 to 1e+11)", id="negative-views"),
        pytest.param({"view_count": 0}, "out_of_range", "view_count", "view_count: out of range (1 to 1e+11)", id="no-views-in-a-list-of-the-most-viewed"),
        pytest.param({"like_count": 10**12}, "out_of_range", "like_count", "like_count: out of range (0 to 1e+10)", id="absurd-likes"),
        pytest.param({"category_id": -2}, "out_of_range", "category_id", "category_id: out of range (1 to 999)", id="absurd-category"),
        pytest.param({"published_at": "2025-04-01T00:00:00Z"}, "future", "published_at", "published_at: after the list that shows it", id="not-yet-published"),
        pytest.param({"published_at": "1999-01-01"}, "out_of_range", "published_at", "published_at: before the first video there was", id="before-video"),
        pytest.param({"list_date": "2025-03-09"}, "future", "list_date", "list_date: after 2025-03-08", id="a-list-from-tomorrow"),
    ],
)
def test_one_broken_row_goes_aside_with_its_reason(week: pd.DataFrame, values: dict[str, Any], kind: str, column: str, reason: str) -> None:
    checked = validate(spoil(week, 10, **values), as_of=date(2025, 3, 8))
    assert checked.quarantined[REASON].tolist() == [reason]
    assert len(checked.clean) == len(week) - 1
    assert found(checked) == {(kind, column, "low")}


def test_a_row_with_several_faults_tells_them_all(week: pd.DataFrame) -> None:
    checked = validate(spoil(week, 0, title=None, view_count="x", like_count=-3))
    assert checked.quarantined[REASON].tolist() == ["view_count: not a whole number: 'x'; title: missing; like_count: out of range (0 to 1e+10)"]


def test_the_first_good_row_of_a_video_and_day_stays(week: pd.DataFrame) -> None:
    twice = pd.concat([spoil(week, 0, view_count=-5), week.iloc[[0]], week.iloc[[0]]], ignore_index=True)
    checked = validate(twice)
    assert len(checked.clean) == len(week)
    assert sorted(checked.quarantined[REASON]) == ["the day's list already holds this video", "view_count: out of range (1 to 1e+11)"]


def test_half_a_day_without_counts_is_an_incident_and_is_never_trained_on() -> None:
    lists = simulate(date(2025, 3, 1), date(2025, 3, 7), 1, incidents=[Incident(DAY, "counts_lost", 0.5)])
    checked = validate(lists)
    assert found(checked) == {("incident", name, "high") for name in COUNTS}
    assert 15 <= len(checked.quarantined) <= 35
    assert set(checked.quarantined["list_date"]) == {pd.Timestamp(DAY)}
    assert checked.quarantined[REASON].str.match(r"view_count: lost by up to \d+% of a day's rows").all()
    table = build_features(checked.clean, "KR")
    assert table[TARGET].notna().all()


def test_a_few_hidden_counts_are_normal_and_stay(week: pd.DataFrame) -> None:
    few = week.copy()
    few.loc[few.index[::12], "like_count"] = pd.NA
    checked = validate(few)
    assert checked.issues == []
    assert len(checked.clean) == len(few)


def test_a_column_lost_for_a_day_is_an_incident_though_older_lists_never_had_it(week: pd.DataFrame) -> None:
    lost = week.copy()
    lost.loc[lost["list_date"] == pd.Timestamp(DAY), "published_at"] = pd.NaT
    assert found(validate(lost)) == {("incident", "published_at", "high")}
    old_form = week.assign(published_at=None, channel_id=None, description_length=None)
    assert found(validate(old_form)) == {("absent", name, "low") for name in ("published_at", "channel_id", "description_length")}


def test_a_batch_or_day_with_too_few_rows(week: pd.DataFrame) -> None:
    assert found(validate(week.iloc[:0])) == {("volume", None, "high")}
    assert found(validate(week.iloc[:5])) == {("volume", None, "high")}
    assert found(validate(week.iloc[:20])) == {("volume", None, "low")}
    assert found(validate(pd.DataFrame())) == {("volume", None, "high")}


def test_a_wrong_schema_is_named_and_nothing_is_clean() -> None:
    checked = validate(pd.DataFrame({"a": [1, 2], "title": ["x", "y"]}))
    assert {issue.column for issue in checked.issues if issue.kind == "schema"} == {"region", "list_date", "video_id", "category_id"}
    assert checked.issues[0].severity is Severity.HIGH
    assert checked.clean.empty
    assert len(checked.quarantined) == 2


def test_broken_rows_of_the_simulator_are_all_caught(week: pd.DataFrame) -> None:
    lists = simulate(date(2025, 3, 1), date(2025, 3, 7), 1, incidents=[Incident(DAY, "broken_rows", 0.3), Incident(date(2025, 3, 5), "duplicates", 0.2)])
    checked = validate(lists)
    assert len(checked.clean) + len(checked.quarantined) == len(lists)
    assert {"unreadable", "duplicate"} <= {issue.kind for issue in checked.issues}
    assert not checked.clean.duplicated(["region", "list_date", "video_id"]).any()
    kept = checked.clean[checked.clean["list_date"] != pd.Timestamp(DAY)].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, week.loc[week["list_date"] != pd.Timestamp(DAY), list(NAMES)].reset_index(drop=True))


def test_the_shift_of_the_mix_is_no_quality_issue() -> None:
    assert validate(simulate(date(2025, 7, 20), date(2025, 7, 27), 1, break_on=date(2025, 7, 24))).issues == []


@pytest.mark.parametrize("region", ["KR", "US", "JP"])
def test_real_lists_have_nothing_above_low_in_any_two_weeks(real: Path, region: str) -> None:
    lists = load_lists(real, region)
    weeks = (lists["list_date"] - pd.Timestamp("2017-09-11")).dt.days // 14
    checked = [validate(rows.reset_index(drop=True)) for _, rows in lists.groupby(weeks)]
    assert [issue for week in checked for issue in week.issues if issue.severity > Severity.LOW] == []
    assert sum(len(week.quarantined) for week in checked) <= 10  # 2017: five repeated rows and five without a view
