from datetime import date, timedelta
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest

from evergreen.domains.tabular.stream_outcomes import expected
from evergreen.domains.tabular.streams import FIRST_DAY, ONSET, RAMP_DAYS, Kind, Truth, stream

SEEDS = range(20)
FEW = range(5)
CHANGES = [kind for kind in Kind if not kind.is_calm]
each_kind = pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.value) for kind in Kind])
each_change = pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.value) for kind in CHANGES])


@lru_cache(maxsize=64)
def stationary(seed: int, classification: bool = False) -> pd.DataFrame:
    return stream(Kind.STATIONARY, seed=seed, classification=classification)[0]


def changed_cells(kind: Kind, seed: int, classification: bool = False) -> tuple[pd.DataFrame, Truth]:
    """Which cells differ from the stationary stream of the same seed, with each row's day."""
    rows, truth = stream(kind, seed=seed, classification=classification)
    calm = stationary(seed, classification)
    cells = (rows != calm) & ~(rows.isna() & calm.isna())
    return cells.assign(day=rows["day"].dt.date), truth


def error(rows: pd.DataFrame, classification: bool) -> float:
    miss = rows["y"] - expected(rows, classification)
    return float((miss**2).mean() if classification else miss.abs().mean())


def error_ratio(kind: Kind, seed: int, classification: bool, size: float | None = None) -> tuple[float, Truth]:
    rows, truth = stream(kind, per_day=200, seed=seed, classification=classification, size=size)
    whole = truth.first_day + timedelta(days=RAMP_DAYS if kind is Kind.GRADUAL_CONCEPT else 0)
    day = rows["day"].dt.date
    return error(rows[day >= whole], classification) / error(rows[day < truth.first_day], classification), truth


@each_kind
def test_equal_arguments_give_equal_bytes_and_another_seed_other_ones(kind: Kind) -> None:
    for seed in SEEDS:
        rows, truth = stream(kind, seed=seed)
        again, truth_again = stream(kind.value, seed=seed)
        pd.testing.assert_frame_equal(rows, again, check_exact=True)
        assert truth == truth_again
        assert not rows["x5"].equals(stream(kind, seed=seed + 1)[0]["x5"])


@each_kind
@pytest.mark.parametrize("classification", [False, True])
def test_a_longer_stream_only_adds_rows(kind: Kind, classification: bool) -> None:
    for days in (30, ONSET + 1, 140):
        longer, _ = stream(kind, days=182, seed=3, classification=classification)
        shorter, _ = stream(kind, days=days, seed=3, classification=classification)
        pd.testing.assert_frame_equal(shorter, longer.iloc[: len(shorter)], check_exact=True)


def test_rows_are_in_order_of_time_and_one_per_entity() -> None:
    rows, _ = stream(Kind.STATIONARY)
    assert list(rows.columns) == ["entity", "at", "day", *[f"x{place}" for place in range(1, 11)], "c1", "c2", "y"]
    assert rows["at"].is_monotonic_increasing
    assert rows["entity"].is_unique
    assert str(rows["at"].dtype) == "datetime64[us, UTC]"
    assert (rows["at"].dt.tz_localize(None).dt.normalize() == rows["day"]).all()
    assert rows.groupby("day").size().eq(15).all()
    assert rows["day"].nunique() == 182


@each_change
def test_nothing_but_what_the_truth_names_changes(kind: Kind) -> None:
    concept = kind in (Kind.ABRUPT_CONCEPT, Kind.GRADUAL_CONCEPT)
    named = {Kind.COUNTS_LOST: {"x1", "x2", "x3", "x4", "y"}}
    for seed in SEEDS:
        cells, truth = changed_cells(kind, seed)
        touched = set(cells.columns[cells.drop(columns="day").any().reindex(cells.columns, fill_value=False)])
        assert touched - {"y"} == named.get(kind, set() if concept else {truth.feature}) - {"y"}
        assert ("y" in touched) == (kind not in (Kind.IRRELEVANT_SHIFT, Kind.NULL_BURST))
        days = cells.loc[cells.drop(columns="day").any(axis=1), "day"]
        assert (days.min(), days.max()) == (truth.first_day, truth.last_day)
        assert truth.first_day == FIRST_DAY + timedelta(days=ONSET)


@pytest.mark.parametrize("kind", [Kind.SEASONAL_WEEKDAY, Kind.SEASONAL_HOUR, Kind.SEASONAL_YEARLY])
def test_a_season_moves_its_feature_and_leaves_the_concept(kind: Kind) -> None:
    rows, truth = stream(kind, seed=1, days=365, per_day=60)
    assert (truth.first_day, truth.last_day) == (FIRST_DAY, rows["day"].dt.date.max())
    part = {
        Kind.SEASONAL_WEEKDAY: rows["day"].dt.weekday >= 5,
        Kind.SEASONAL_HOUR: rows["at"].dt.hour < 12,
        Kind.SEASONAL_YEARLY: rows["day"].dt.dayofyear < 183,
    }[kind]
    column = rows[str(truth.feature)]
    assert column[part].mean() - column[~part].mean() > 0.9
    assert error(rows[part], False) == pytest.approx(error(rows[~part], False), rel=0.03)


@pytest.mark.parametrize("classification", [pytest.param(False, id="regression"), pytest.param(True, id="classification")])
@pytest.mark.parametrize(
    ("kind", "size"),
    [(Kind.ABRUPT_CONCEPT, None), (Kind.ABRUPT_CONCEPT, 1.4), (Kind.GRADUAL_CONCEPT, None), (Kind.EASIER, None), (Kind.RAMP, None), (Kind.MIX_FLIP, None)],
)
def test_the_error_of_the_best_predictor_of_before_rises_as_the_truth_says(kind: Kind, size: float | None, classification: bool) -> None:
    if classification and kind in (Kind.RAMP, Kind.MIX_FLIP):
        return  # chances move with the inputs, and their Brier score with them, though the concept stays
    for seed in FEW:
        ratio, truth = error_ratio(kind, seed, classification, size)
        assert ratio == pytest.approx(truth.error_factor, rel=0.05)


def test_half_of_the_rows_lose_their_values_and_only_for_the_days_of_the_truth() -> None:
    for kind, days in ((Kind.NULL_BURST, 7), (Kind.COUNTS_LOST, 3)):
        rows, truth = stream(kind, per_day=200)
        lost = rows["x3"].isna().groupby(rows["day"].dt.date).mean()
        assert list(lost[lost > 0].index) == [truth.first_day + timedelta(days=offset) for offset in range(days)]
        assert lost[lost > 0].between(0.4, 0.6).all()


def test_a_mix_flip_turns_the_categories_round() -> None:
    rows, truth = stream(Kind.MIX_FLIP, per_day=200)
    before, after = (
        rows.loc[part, "c1"].value_counts(normalize=True) for part in (rows["day"].dt.date < truth.first_day, rows["day"].dt.date >= truth.first_day)
    )
    assert list(before.index) == list(after.index)[::-1] == ["red", "blue", "green", "white", "black"]


def test_a_change_after_the_end_leaves_the_stream_calm() -> None:
    rows, truth = stream(Kind.ABRUPT_CONCEPT, days=40)
    pd.testing.assert_frame_equal(rows, stream(Kind.STATIONARY, days=40)[0])
    assert truth.first_day > rows["day"].dt.date.max()


def test_the_first_day_the_target_and_the_number_of_features_can_be_chosen() -> None:
    rows, truth = stream(Kind.COUNTS_LOST, first_day=date(2024, 2, 28), onset=2, days=5, target="price", features=10)
    assert list(rows.columns)[3:] == [*[f"x{place}" for place in range(1, 9)], "c1", "c2", "price"]
    assert (truth.feature, truth.first_day, truth.last_day) == ("price", date(2024, 3, 1), date(2024, 3, 3))


@pytest.mark.parametrize(
    "wrong", [{"features": 9}, {"days": 0}, {"per_day": 0}, {"size": 0.5}, {"size": 100.0}, {"size": 100.0, "classification": True}, {"kind": "surprise"}]
)
def test_what_cannot_be_made_is_refused(wrong: dict) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - four different words
        stream(**{"kind": Kind.ABRUPT_CONCEPT, **wrong})


def test_outcomes_of_a_classification_are_zero_and_one_and_neither_is_rare() -> None:
    rows, _ = stream(Kind.STATIONARY, classification=True)
    assert set(np.unique(rows["y"])) == {0.0, 1.0}
    assert 0.25 < rows["y"].mean() < 0.75
