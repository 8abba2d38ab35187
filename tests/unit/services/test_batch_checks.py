"""What the announcement of a batch lets one check."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest

from evergreen.contracts.events import DataIngested, Window
from evergreen.core.severity import Severity
from evergreen.domains.videos.dataset import video_dataset
from evergreen.domains.videos.simulator import Incident, simulate
from evergreen.ports.dataset import Checked
from evergreen.services.batch_checks import check_batch

DATASET = video_dataset("KR")
FIRST, LAST = date(2025, 7, 1), date(2025, 7, 4)


def checked(received: pd.DataFrame, *, last_known: date = LAST, **announced: Any) -> Checked:
    said: dict[str, Any] = {"batch_id": "b", "dataset": "videos.KR", "path": "", "rows": len(received), "sha256": ""}
    batch = DataIngested(**(said | {"window": Window(first_day=FIRST, last_day=LAST)} | announced))
    return check_batch(received, DATASET, batch, last_known)


def a_day(rows: int, day: date = FIRST) -> pd.DataFrame:
    return pd.concat([simulate(day, day, seed=seed) for seed in range(1 + rows // 50)], ignore_index=True).head(rows).assign(rank=1)


def volume(rows: pd.DataFrame, before: pd.DataFrame) -> tuple[Severity | None, list[str]]:
    batch = DataIngested(batch_id="b", dataset="videos.KR", path="", rows=len(rows), sha256="", window=Window(first_day=FIRST, last_day=FIRST))
    found = check_batch(rows, DATASET, batch, FIRST, before)
    return found.severity, [finding.detail for finding in found.findings if finding.kind == "volume"]


@pytest.mark.parametrize(
    ("rows", "severity"),
    [
        pytest.param(24, Severity.MEDIUM, id="less-than-half"),
        pytest.param(7, Severity.HIGH, id="next-to-nothing"),
        pytest.param(26, None, id="a-little-more-than-half"),
        pytest.param(50, None, id="as-always"),
        pytest.param(60, None, id="a-few-more"),
        pytest.param(160, Severity.HIGH, id="more-than-three-times-as-many"),
    ],
)
def test_a_daily_batch_is_judged_by_the_month_before_it(rows: int, severity: Severity | None):
    month = simulate(FIRST - timedelta(days=28), FIRST - timedelta(days=1), seed=9)
    said = [] if severity is None else [f"2025-07-01: {rows} rows, usually 50"]
    assert volume(a_day(rows), month) == (severity, said)


def test_without_a_week_of_history_the_batch_is_its_own_measure():
    for before in (simulate(FIRST, FIRST, seed=9).head(0), simulate(FIRST - timedelta(days=6), FIRST - timedelta(days=1), seed=9)):
        assert volume(a_day(24), before)[0] is Severity.LOW
        assert volume(a_day(160), before) == (None, [])


def test_what_is_set_aside_has_come_all_the_same():
    month = simulate(FIRST - timedelta(days=28), FIRST - timedelta(days=1), seed=9)
    assert volume(simulate(FIRST, FIRST, seed=3, incidents=[Incident(FIRST, "counts_lost", 0.8)]), month)[1] == []


def kinds(found: Checked) -> list[str]:
    return [finding.kind for finding in found.findings]


def test_a_good_batch_has_no_findings():
    found = checked(simulate(FIRST, LAST, seed=1))
    assert (kinds(found), found.severity, len(found.quarantined)) == ([], None, 0)


def test_every_row_is_clean_or_quarantined_with_a_reason():
    rows = simulate(date(2025, 6, 29), date(2025, 7, 6), seed=1, incidents=[Incident(FIRST, "broken_rows", 0.4), Incident(LAST, "duplicates", 0.3)])
    found = checked(rows)
    assert len(found.clean) + len(found.quarantined) == len(rows)
    assert found.quarantined["reason"].str.len().min() > 0
    assert set(found.clean["list_date"].dt.date) <= {date(2025, 7, day) for day in range(1, 5)}


def test_rows_of_another_region_are_set_aside():
    rows = pd.concat([simulate(FIRST, LAST, seed=1), simulate(FIRST, LAST, seed=1, region="US")], ignore_index=True)
    found = checked(rows)
    assert set(found.clean["region"]) == {"KR"}
    assert "other_region" in kinds(found)
    assert found.severity is not None
    assert found.severity >= Severity.MEDIUM


def test_a_wrong_count_and_an_empty_day_are_named_worst_first():
    rows = simulate(FIRST, LAST, seed=1, incidents=[Incident(date(2025, 7, 2), "empty_day")])
    found = checked(rows, rows=len(rows) + 50)
    assert kinds(found)[0] == "row_count"
    assert "empty_day" in kinds(found)
    assert found.severity is Severity.MEDIUM


def test_days_that_are_not_released_are_neither_clean_nor_missing():
    found = checked(simulate(FIRST, LAST, seed=1), last_known=date(2025, 7, 3))
    assert found.clean["list_date"].max() == pd.Timestamp(2025, 7, 3)
    assert "empty_day" not in kinds(found)


def test_an_empty_batch_names_every_day():
    found = checked(simulate(FIRST, LAST, seed=1).head(0))
    [empty] = [finding for finding in found.findings if finding.kind == "empty_day"]
    assert (empty.count, empty.share) == (4, 1.0)
    assert found.clean.empty


def test_a_window_the_wrong_way_round_takes_nothing_in():
    found = checked(simulate(FIRST, LAST, seed=1), window=Window(first_day=LAST, last_day=FIRST))
    assert found.clean.empty
