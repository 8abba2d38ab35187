"""An incident is an incident: what half-lost days leave behind is neither trained on nor drift. On the simulator's lists, without parts."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest

from evergreen.adapters.memory.lake import MemoryLake
from evergreen.contracts.events import Window
from evergreen.core.release import released_at
from evergreen.domains.videos.dataset import video_dataset
from evergreen.domains.videos.schema import COUNTS
from evergreen.domains.videos.simulator import Incident, simulate
from evergreen.domains.videos.spec import video_spec
from evergreen.ports.dataset import Checked
from evergreen.services.drift_rows import fair_rows
from evergreen.services.drift_statistics import compare_tables
from evergreen.services.drift_windows import CheckedWindow, rows_between
from evergreen.services.row_losses import losses_on
from evergreen.services.training import feature_table, fit_candidate, read_silver, training_window

SPEC, DATASET = video_spec("KR"), video_dataset("KR")
FIRST, LAST, BAD = date(2025, 2, 24), date(2025, 5, 25), date(2025, 5, 5)
TRAINED_TO = date(2025, 4, 27)
WEEK = timedelta(days=7)
LENGTHS = (1, 3, 7)
SEED = 4


@lru_cache
def lists(days_lost: int) -> pd.DataFrame:
    return simulate(FIRST, LAST, SEED, incidents=[Incident(BAD + timedelta(days=day), "counts_lost", 0.5) for day in range(days_lost)])


def take_in(lake: MemoryLake, rows: pd.DataFrame) -> None:
    """Week by week, as ingest does."""
    for first in pd.date_range(FIRST, LAST, freq="7D"):
        week = rows[rows["list_date"].between(first, first + pd.Timedelta(days=6))].reset_index(drop=True)
        checked: Checked = DATASET.validate(week, LAST)
        lake.keep_bronze(DATASET.name, f"{first:%Y-%m-%d}", week, checked.quarantined)
        lake.merge_silver(DATASET.name, checked.clean)


@lru_cache
def lake_of(days_lost: int) -> MemoryLake:
    lake = MemoryLake({DATASET.name: DATASET})
    take_in(lake, lists(days_lost))
    return lake


def table_of(lake: MemoryLake) -> pd.DataFrame:
    return feature_table(SPEC, read_silver(lake, SPEC, released_at(LAST)), released_at(LAST))


def concerned(days_lost: int) -> set[str]:
    """Videos whose first row was lost, by brute force: on a bad day a row without one of the counts is."""
    spoilt = lists(days_lost)
    first = spoilt.sort_values(["list_date", "rank"], kind="stable").drop_duplicates("video_id")
    bad = first["list_date"].dt.date.isin([BAD + timedelta(days=day) for day in range(days_lost)])
    return set(first.loc[bad & first[list(COUNTS)].isna().any(axis=1), "video_id"])


@pytest.mark.parametrize("days_lost", LENGTHS)
def test_the_feature_table_is_that_of_clean_lists_without_the_videos_concerned(days_lost: int) -> None:
    lost = concerned(days_lost)
    assert len(lost) >= 4 * days_lost
    clean = lists(0)
    expected = SPEC.build_features(clean[~clean["video_id"].isin(lost)]).sort_values(["list_date", "video_id"], ignore_index=True)
    found = table_of(lake_of(days_lost)).sort_values(["list_date", "video_id"], ignore_index=True)
    unknown = found["growth_next_day"].isna() & expected["growth_next_day"].notna()
    assert set(found.loc[unknown, "list_date"].dt.date) <= {BAD + timedelta(days=day) for day in range(-1, days_lost)}
    pd.testing.assert_frame_equal(found.drop(columns="growth_next_day"), expected.drop(columns="growth_next_day"), check_exact=True)
    pd.testing.assert_series_equal(found.loc[~unknown, "growth_next_day"], expected.loc[~unknown, "growth_next_day"], check_exact=True)


@pytest.mark.parametrize("days_lost", LENGTHS)
def test_no_weekly_window_around_an_incident_drifts(days_lost: int) -> None:
    lake = lake_of(days_lost)
    reference = rows_between(table_of(lake), "list_date", FIRST, TRAINED_TO)
    windows = [
        CheckedWindow(Window(first_day=first, last_day=first + WEEK - timedelta(days=1)), first) for first in (BAD - WEEK, BAD, BAD + WEEK, BAD + 2 * WEEK)
    ]
    chosen, skipped = fair_rows(lake, SPEC, windows)
    assert set(skipped.values()) == ({"incident"} if days_lost == 7 else set())
    looked_at = {day for _, rows in chosen for day in rows["list_date"].dt.date}
    week = {BAD + timedelta(days=day) for day in range(7)}
    assert week & looked_at == (set() if days_lost == 7 else week - {BAD + timedelta(days=day) for day in range(days_lost)})
    for _, current in chosen:
        assert compare_tables(reference, current, SPEC.drift_features, SPEC.categorical_features).affected == ()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("days_lost", LENGTHS)
def test_a_version_trained_on_an_incident_is_as_good_as_one_that_never_saw_it(days_lost: int) -> None:
    assert error_of(days_lost) == pytest.approx(error_of(0), rel=0.02)


@lru_cache
def error_of(days_lost: int) -> float:
    """Of versions trained on those lists, on the newest week, which every lake has whole. Five of them: on 121 videos one wavers by 1.2 % with
    nothing but its seed, and by 1 to 2 % when as many videos are left out at random."""
    table = table_of(lake_of(days_lost))
    held_out = rows_between(table_of(lake_of(0)), "list_date", LAST - WEEK, LAST)
    losses = []
    for seed in range(5):
        fitted = fit_candidate(SPEC, table, training_window(SPEC, table), seed).fitted
        predicted = SPEC.predictor(fitted.estimators, fitted.card).predict(held_out[list(SPEC.feature_names)])
        losses.append(losses_on(SPEC, predicted, held_out))
    return float(np.nanmean(losses))


def test_announced_again_repaired_it_was_never_broken() -> None:
    lake = MemoryLake({DATASET.name: DATASET})
    take_in(lake, lists(3))
    assert len(table_of(lake)) < len(table_of(lake_of(0)))
    take_in(lake, lists(0))
    week = CheckedWindow(Window(first_day=BAD, last_day=BAD + WEEK - timedelta(days=1)), BAD)
    [(_, fair)], skipped = fair_rows(lake, SPEC, [week])
    assert (len(fair), skipped) == (len(rows_between(table_of(lake), "list_date", BAD, week.window.last_day)), {})
    pd.testing.assert_frame_equal(table_of(lake), table_of(lake_of(0)), check_exact=True)


def test_before_the_cut_the_next_row_stood_in_for_the_first() -> None:
    """What the cut is for: without it the videos concerned are a day older and have more views than a first listing."""
    uncut = SPEC.build_features(lake_of(7).silver(DATASET.name)).set_index("video_id")
    clean = table_of(lake_of(0)).set_index("video_id")
    both = sorted(concerned(7) & set(uncut.index))
    assert len(both) >= 20
    assert (uncut.loc[both, "age_hours"] - clean.loc[both, "age_hours"]).min() > 23.9
    assert (uncut.loc[both, "log_views"] - clean.loc[both, "log_views"]).mean() > 0.05


def spoil(rows: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """A list as a bad day sends it: lost and impossible values, no names, unreadable days, rows twice, in any order."""
    bad = rows.astype(object)
    for column, value in (("view_count", None), ("view_count", -1), ("like_count", "many"), ("video_id", None), ("list_date", "soon"), ("title", None)):
        bad.loc[random.random(len(bad)) < random.choice([0.0, 0.05, 0.4]), column] = value
    return pd.concat([bad, bad[random.random(len(bad)) < 0.1]]).sample(frac=1.0, random_state=int(random.integers(2**31)), ignore_index=True)


@pytest.mark.slow
def test_every_row_is_in_one_place_and_no_key_that_was_lost_is_trained_on() -> None:
    """Bad batches, by brute force."""
    first, last = date(2025, 3, 3), date(2025, 3, 6)
    rows = simulate(first, last, 8).groupby("list_date").head(12)
    for seed in range(50):
        received = spoil(rows, np.random.default_rng(seed))
        lake = MemoryLake({DATASET.name: DATASET})
        checked = DATASET.validate(received, last)
        assert len(checked.clean) + len(checked.quarantined) == len(received)
        lake.keep_bronze(DATASET.name, "b", received, checked.quarantined)
        lake.merge_silver(DATASET.name, checked.clean)
        silver = lake.silver(DATASET.name)
        if silver.empty:
            continue
        keys = set(zip(silver["video_id"], silver["list_date"], strict=True))
        aside = checked.quarantined.dropna(subset=["video_id", "list_date"])
        lost = set(zip(aside["video_id"], aside["list_date"], strict=True)) - keys
        table = feature_table(SPEC, read_silver(lake, SPEC, released_at(last)), released_at(last))
        trained = set(zip(table["video_id"], table["list_date"], strict=True))
        assert trained <= keys
        assert not [video for video, day in trained for other, earlier in lost if video == other and silver["list_date"].min() <= earlier < day]
