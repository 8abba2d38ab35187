"""Real lists of three regions: every calm week is calm, the break of July 2025 is found in its first week."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from evergreen.core.drift import DriftSummary
from evergreen.core.release import week_batches
from evergreen.domains.videos.loaders import load_lists
from evergreen.domains.videos.spec import video_spec
from evergreen.services.drift_statistics import compare_tables
from evergreen.services.drift_windows import rows_between
from evergreen.settings import load_settings

DATA = load_settings(with_stack=False).test_data / "youtube"
CALM, BREAK = date(2025, 6, 16), date(2025, 7, 24)
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the sample data is not there")


def check(region: str, table: pd.DataFrame, first: date, last: date) -> DriftSummary:
    spec = video_spec(region)
    reference = table[table["list_date"] < pd.Timestamp(CALM)]
    return compare_tables(reference, rows_between(table, "list_date", first, last), spec.drift_features, spec.categorical_features)


@pytest.mark.parametrize("region", ["KR", "US", "JP"])
def test_calm_weeks_however_they_are_cut_and_the_break(region: str):
    rows = load_lists(DATA / f"trending_{region}_2025-02_2026-02.parquet", region)
    table = video_spec(region).build_features(rows[rows["list_date"] <= pd.Timestamp(2025, 7, 31)])
    for shift in range(7):
        weeks = [week for week in week_batches(CALM, date(2025, 7, 23), BREAK.fromordinal(BREAK.toordinal() + shift)) if (week[1] - week[0]).days == 6]
        affected = {first: [one.feature for one in check(region, table, first, last).affected] for first, last in weeks}
        assert not any(affected.values()), affected
    broken = check(region, table, BREAK, date(2025, 7, 30))
    assert {"category_id", "age_hours"} <= {one.feature for one in broken.affected}
    if region == "KR":
        assert len(broken.affected) > 3  # which the policy raises to high: retrain now
        assert broken.score > 0.4
