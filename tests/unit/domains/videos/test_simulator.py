from datetime import date

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from evergreen.domains.videos.names import TARGET, TIME
from evergreen.domains.videos.schema import LOAD_ERROR, NAMES, empty_batch
from evergreen.domains.videos.simulator import Incident, Season, simulate
from evergreen.domains.videos.spec import DRIFT_FEATURES
from evergreen.ports.model import Predictor

START, END = date(2025, 3, 1), date(2025, 3, 20)


@pytest.fixture(scope="module")
def lists() -> pd.DataFrame:
    return simulate(START, END, 5)


def test_equal_arguments_give_equal_rows_and_another_seed_others(lists: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(simulate(START, END, 5), lists)
    assert not set(simulate(START, END, 6)["video_id"]) & set(lists["video_id"])


def test_a_later_end_only_adds_days(lists: pd.DataFrame) -> None:
    shorter = simulate(START, date(2025, 3, 10), 5)
    pd.testing.assert_frame_equal(lists[lists["list_date"] <= "2025-03-10"].reset_index(drop=True), shorter)


def test_the_rows_are_a_batch(lists: pd.DataFrame) -> None:
    assert list(lists.columns) == [*NAMES, LOAD_ERROR]
    assert lists.dtypes.equals(empty_batch().dtypes)
    assert lists.groupby("list_date").size().eq(50).all()
    assert lists.groupby("list_date")["rank"].apply(lambda rank: sorted(rank) == list(range(1, 51))).all()
    assert not lists.duplicated(["list_date", "video_id"]).any()


def test_videos_stay_grow_and_channels_return(lists: pd.DataFrame) -> None:
    first_views = lists.groupby("video_id")["view_count"].agg(["first", "last", "size"])
    stayed = first_views[first_views["size"] > 1]
    assert len(stayed) > 0.4 * len(first_views)
    assert (stayed["last"] > stayed["first"]).mean() > 0.99
    assert lists.groupby("channel_id")["video_id"].nunique().max() > 5


def test_an_incident_changes_its_day_and_no_other(lists: pd.DataFrame) -> None:
    bad = date(2025, 3, 9)
    spoilt = simulate(START, END, 5, incidents=[Incident(bad, "counts_lost", 0.5)])
    assert 0.3 < spoilt.loc[spoilt["list_date"] == pd.Timestamp(bad), "view_count"].isna().mean() < 0.7
    others = lists["list_date"] != pd.Timestamp(bad)
    pd.testing.assert_frame_equal(spoilt[others], lists[others])
    without = simulate(START, END, 5, incidents=[Incident(bad, "empty_day")])
    pd.testing.assert_frame_equal(without, lists[others].reset_index(drop=True))


def test_a_season_brings_more_music_and_goes_again() -> None:
    week = Season(date(2025, 3, 10), date(2025, 3, 16))
    lists = simulate(date(2025, 2, 1), date(2025, 4, 30), 5, seasons=[week])
    fresh = lists.drop_duplicates("video_id")
    music = (fresh["category_id"] == 10).groupby(fresh["list_date"].between("2025-03-10", "2025-03-16")).mean()
    assert music[True] > 1.3 * music[False]


def test_other_regions_write_in_their_own_script() -> None:
    assert simulate(START, START, 5, region="JP")["title"].str.contains("[\u3040-\u30ff\u4e00-\u9fff]").all()
    assert simulate(START, START, 5, region="US")["title"].str.fullmatch(r"[\x20-\x7e…]+").all()


def test_an_end_before_the_start_is_refused() -> None:
    with pytest.raises(ValueError, match="ends on or after its start"):
        simulate(END, START)


def effects(reference: pd.DataFrame, current: pd.DataFrame) -> dict[str, float]:
    return {name: float(ks_2samp(reference[name], current[name]).statistic) for name in DRIFT_FEATURES}


def test_nothing_drifts_while_it_is_calm_and_much_does_after_the_break(table: pd.DataFrame) -> None:
    days = table[TIME]
    reference = table[(days > "2025-02-23") & (days <= "2025-06-15")]
    assert max(effects(reference, table[days.between("2025-06-16", "2025-07-23")]).values()) < 0.1
    weeks = [table[days.between(monday, monday + pd.Timedelta(days=6))] for monday in pd.date_range("2025-06-19", "2025-07-17", freq="7D")]
    assert max(max(effects(reference, week).values()) for week in weeks) < 0.2
    after = effects(reference, table[days.between("2025-07-24", "2025-07-30")])
    assert min(after["category_id"], after["age_hours"]) > 0.4


def test_the_first_champion_loses_half_after_the_break(table: pd.DataFrame, predictor: Predictor) -> None:
    def error(first_day: str, last_day: str) -> float:
        rows = table[table[TIME].between(first_day, last_day)]
        return float(np.abs(predictor.predict(rows) - rows[TARGET]).mean())

    calm = error("2025-06-16", "2025-07-23")
    assert calm < 0.23
    assert error("2025-07-24", "2025-07-30") > 1.5 * calm
