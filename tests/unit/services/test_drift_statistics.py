"""Evidence from tables: no false alarm on equal data, the same meaning at every size, and every broken column a finding."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evergreen.core.drift import DriftSummary
from evergreen.domains.videos.simulator import simulate
from evergreen.domains.videos.spec import video_spec
from evergreen.services.drift_statistics import compare_tables


def one(old: Any, new: Any, *, categorical: bool = False) -> Any:
    names = ["x"] if categorical else []
    return compare_tables(pd.DataFrame({"x": old}), pd.DataFrame({"x": new}), ["x"], names).results[0]


def drawn(seed: int, size: int, shift: float = 0.0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).normal(shift, 1.0, size)


def test_equal_distributions_are_no_drift_however_often_one_looks():
    found = [one(drawn(seed, 2000), drawn(seed + 1000, 110)).drifted for seed in range(300)]
    assert sum(found) == 0


@pytest.mark.parametrize("shift", [0.8, 1.5])
def test_the_score_means_the_same_at_every_sample_size(shift: float):
    def typical(size: int) -> float:
        return float(np.median([one(drawn(seed, 20 * size), drawn(seed + 99, size, shift)).statistic for seed in range(9)]))

    sizes = {size: typical(size) for size in (100, 1000, 10_000)}
    assert max(sizes.values()) - min(sizes.values()) < 0.06


def test_a_moved_mean_is_found_with_its_direction():
    up, down = one(drawn(1, 2000), drawn(2, 110, 1.0)), one(drawn(1, 2000), drawn(2, 110, -1.0))
    assert up.drifted
    assert up.direction.startswith("higher: median")
    assert down.drifted
    assert down.direction.startswith("lower: median")


def test_a_wider_spread_is_found_too():
    result = one(drawn(1, 3000), 3 * drawn(2, 300))
    assert result.drifted
    assert result.kind in {"distribution", "out_of_range"}


def test_large_windows_do_not_make_small_changes_matter():
    result = one(drawn(1, 100_000), drawn(2, 100_000, 0.05))
    assert result.q_value < 1e-6
    assert not result.drifted
    assert result.score < 0.05


def test_a_new_mix_of_categories_is_found_and_named():
    old, new = np.repeat([24, 22, 10, 20], [500, 300, 150, 50]), np.repeat([24, 22, 10, 20], [20, 20, 80, 80])
    result = one(old, new, categorical=True)
    assert result.drifted
    assert result.direction in {"20: 5.0% -> 40.0%", "24: 50.0% -> 10.0%"}


def test_a_category_never_seen_before_counts():
    result = one(np.repeat(["a", "b"], [600, 400]), np.repeat(["a", "b", "new"], [50, 30, 20]), categorical=True)
    assert result.drifted
    assert one(np.repeat([1.0, 2.0], 500), np.repeat([1, 2], 50), categorical=True).statistic == 0.0  # 1 and 1.0 are one category


def test_values_outside_of_everything_known_count():
    new = np.concatenate([drawn(2, 80), np.full(20, 1e6)])
    result = one(drawn(1, 2000), new)
    assert result.drifted


def test_lost_values_are_told_as_lost_and_are_no_drift():
    new = pd.Series(drawn(2, 200)).mask(np.arange(200) % 2 == 0)
    summary = compare_tables(pd.DataFrame({"x": drawn(1, 2000)}), pd.DataFrame({"x": new}), ["x"])
    assert summary.affected == ()
    assert [(result.kind, result.direction) for result in summary.lost] == [("nulls", "not known: 0.0% -> 50.0%")]


def test_values_that_are_known_again_are_a_finding():
    old = pd.Series(drawn(1, 2000)).mask(np.arange(2000) % 2 == 0)
    summary = compare_tables(pd.DataFrame({"x": old}), pd.DataFrame({"x": drawn(2, 200)}), ["x"])
    assert (summary.affected, summary.lost) == ((), ())
    assert summary.results[0].findings == ("known again: 50.0% -> 0.0% not known",)


@pytest.mark.parametrize(
    ("old", "new", "changed", "finding"),
    [
        pytest.param([np.nan] * 500, [np.nan] * 100, "", "empty in the current window", id="empty-in-both"),
        pytest.param(drawn(1, 500), [np.nan] * 100, "lost", "empty in the current window", id="lost-whole"),
        pytest.param([np.nan] * 500, drawn(1, 100), "", "empty in the reference window", id="new-whole"),
        pytest.param([3.0] * 500, [3.0] * 100, "", "constant in the current window", id="constant-in-both"),
        pytest.param([3.0] * 500, [4.0] * 100, "drifted", "constant in the current window", id="another-constant"),
        pytest.param([3.0] * 500, drawn(1, 100), "drifted", "constant in the reference window", id="no-longer-constant"),
        pytest.param(drawn(1, 500), [np.inf] * 100, "lost", "empty in the current window", id="all-infinite"),
        pytest.param(drawn(1, 500), ["what"] * 100, "lost", "empty in the current window", id="text-for-numbers"),
        pytest.param(drawn(1, 500), drawn(1, 5) + 99, "", "too few rows to conclude: 500 against 5, 30 needed", id="too-few"),
        pytest.param(drawn(1, 500), [], "", "too few rows to conclude: 500 against 0, 30 needed", id="none"),
    ],
)
def test_broken_columns_are_findings_and_no_exception(old: Any, new: Any, changed: str, finding: str):
    for categorical in (False, True):
        if categorical and finding.startswith(("empty in the current", "constant in the reference")) and changed:
            continue  # text and infinity are categories; a spread of floats is many
        summary = compare_tables(pd.DataFrame({"x": old}), pd.DataFrame({"x": new}), ["x"], ["x"] if categorical else [])
        result = summary.results[0]
        assert (result.drifted, bool(summary.lost)) == (changed == "drifted", changed == "lost")
        assert finding in result.findings
        assert 0.0 <= result.score <= 1.0
        assert summary.n_current == len(new)


def test_a_column_that_is_gone_is_lost_and_one_that_is_new_is_a_finding():
    both = pd.DataFrame({"x": drawn(1, 200), "y": drawn(2, 200)})
    gone = compare_tables(both, both[["x"]], ["x", "y"])
    assert gone.affected == ()
    assert [(result.feature, result.kind) for result in gone.lost] == [("y", "missing_column")]
    added = compare_tables(both[["x"]], both, ["x", "y"])
    assert added.affected == ()
    assert next(result for result in added.results if result.feature == "y").findings == ("not in the reference",)


values = st.one_of(st.none(), st.floats(), st.integers(-(10**20), 10**20), st.text(max_size=3), st.booleans(), st.lists(st.integers(), max_size=2))


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(old=st.lists(values, max_size=80), new=st.lists(values, max_size=80), categorical=st.booleans())
def test_whatever_is_in_a_column_there_is_a_result(old: list[Any], new: list[Any], categorical: bool):
    result = one(pd.Series(old, dtype="object"), pd.Series(new, dtype="object"), categorical=categorical)
    assert 0.0 <= result.statistic <= 1.0
    assert 0.0 <= result.score <= 1.0
    assert 0.0 <= result.p_value <= result.q_value <= 1.0


def _story(seed: int) -> dict[date, DriftSummary]:
    spec = video_spec()
    table = spec.build_features(simulate(date(2025, 2, 23), date(2025, 7, 30), seed, break_on=date(2025, 7, 24)))
    days = table["list_date"].dt.date
    reference = table[days < date(2025, 6, 16)]
    weeks = [date(2025, 6, 19), date(2025, 6, 26), date(2025, 7, 3), date(2025, 7, 10), date(2025, 7, 17), date(2025, 7, 24)]
    windows = {first: table[(days >= first) & (days < first.fromordinal(first.toordinal() + 7))] for first in weeks}
    return {first: compare_tables(reference, rows, spec.drift_features, spec.categorical_features) for first, rows in windows.items()}


@pytest.mark.parametrize("seed", range(3))
def test_simulated_calm_weeks_are_calm_and_the_break_is_found_at_once(seed: int):
    story = _story(seed)
    broken = story.pop(date(2025, 7, 24))
    assert {first: [result.feature for result in summary.affected] for first, summary in story.items() if summary.affected} == {}
    assert {"category_id", "age_hours"} <= {result.feature for result in broken.affected}
    assert broken.severity is not None
    assert broken.severity.word == "medium"
