import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evergreen.core.errors import NotEnoughData
from evergreen.domains.videos.bad import fit_bad
from evergreen.domains.videos.features import build_features
from evergreen.domains.videos.figures import figures
from evergreen.domains.videos.loaders import load_lists
from evergreen.domains.videos.names import COUNT_FEATURES, FACTS, FEATURES, GROWTH, STILL_LISTED, TARGET, TIME
from evergreen.domains.videos.spec import video_spec
from evergreen.ports.model import FittedModel, ModelSpec, Predictor

REQUEST: dict[str, Any] = {
    "title": "드디어 공개 Official MV!",
    "category_id": 10,
    "published_at": "2025-06-20T09:00:00Z",
    "list_date": "2025-06-21",
    "tag_count": 12,
    "description_length": 300,
    "is_live": False,
    "duration": 185.0,
    "channel_videos": 4.0,
    "channel_mean_log_views": 5.6,
    "channel_last_log_views": 5.4,
    "channel_last_listed": "2025-06-10",
    "view_count": 250_000,
    "like_count": 9_000,
    "comment_count": 400,
    "hour": 3,
    "is_weekend": 1,
    "like_view_ratio": 0.5,
}


def between(table: pd.DataFrame, first_day: str, last_day: str) -> pd.DataFrame:
    return table[table[TIME].between(first_day, last_day) & table[TARGET].notna()]


def loaded(fitted: FittedModel, spec: ModelSpec) -> Predictor:
    return spec.predictor(fitted.estimators, fitted.card)


def errors(predictor: Predictor, rows: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.asarray(np.abs(predictor.predict(rows) - rows[TARGET].to_numpy(dtype=np.float64)))


def upper_increase(candidate: np.ndarray[Any, Any], champion: np.ndarray[Any, Any]) -> float:
    """97.5 % bootstrap bound of the candidate's relative error increase, as the gates measure it."""
    drawn = np.random.default_rng(0).integers(0, len(champion), (1000, len(champion)))
    return float(np.quantile(candidate[drawn].mean(axis=1) / champion[drawn].mean(axis=1) - 1, 0.975))


def test_every_head_survives_skops_with_exactly_the_trusted_types(fitted: FittedModel, spec: ModelSpec, table: pd.DataFrame) -> None:
    assert set(fitted.estimators) == {"primary", "viral", "still_listed", "growth"}
    rows = between(table, "2025-06-16", "2025-07-23")
    for pipeline in fitted.estimators.values():
        saved = skops.io.dumps(pipeline)
        assert set(skops.io.get_untrusted_types(data=saved)) <= spec.trusted_types
        again = skops.io.loads(saved, trusted=sorted(spec.trusted_types))
        np.testing.assert_array_equal(again.predict(rows), pipeline.predict(rows))


def test_the_fast_path_gives_the_pipelines_bits(fitted: FittedModel, predictor: Predictor, table: pd.DataFrame) -> None:
    np.testing.assert_array_equal(predictor.predict(table), fitted.estimators["primary"].predict(table))
    shuffled = table[list(reversed(FEATURES))]
    np.testing.assert_array_equal(predictor.predict(shuffled), predictor.predict(table))


def test_training_is_deterministic_whatever_the_order_and_ignores_rows_without_a_count(fitted: FittedModel, table: pd.DataFrame, spec: ModelSpec) -> None:
    rows = table[table[TIME] <= "2025-06-15"]
    hidden = rows.assign(**{TARGET: np.nan})
    again = spec.fit(pd.concat([hidden, rows.sample(frac=1, random_state=1)]), 0)
    assert again.card == fitted.card
    np.testing.assert_array_equal(loaded(again, spec).predict(table), loaded(fitted, spec).predict(table))
    with pytest.raises(NotEnoughData, match="needs 50 first listings with a view count, got 0"):
        spec.fit(hidden, 0)


def test_the_card_is_plain_json_and_tells_its_training(fitted: FittedModel) -> None:
    card = json.loads(json.dumps(fitted.card, allow_nan=False))
    assert card == fitted.card
    assert card["window"] == {"from": "2025-02-23", "to": "2025-06-15"}
    assert sum(card["importances"].values()) == pytest.approx(1.0)
    assert "duration" not in card["features"]["primary"]  # the lists have none
    assert not set(COUNT_FEATURES) & set(card["features"]["primary"] + card["features"]["viral"])


def test_the_interval_covers_what_it_says(predictor: Predictor, fitted: FittedModel, table: pd.DataFrame) -> None:
    rows = between(table, "2025-06-16", "2025-07-23")
    low, high = predictor.interval(rows)
    covered = ((rows[TARGET] >= low) & (rows[TARGET] <= high)).mean()
    assert 0.74 <= covered <= 0.88
    assert 0.70 <= fitted.card["interval"]["coverage"] <= 0.90
    known = [fitted.card["interval"]["strata"][name]["width"] for name in ("new_channel", "frequent_channel")]
    assert known[0] > known[1]


def test_viral_probability_is_calibrated_and_ranks(predictor: Predictor, fitted: FittedModel, table: pd.DataFrame) -> None:
    rows = between(table, "2025-06-16", "2025-07-23")
    chances = np.array([answer["viral_probability"] for answer in predictor.answer(as_requests(rows))])
    viral = (rows[TARGET] >= fitted.card["viral"]["threshold"]).to_numpy()
    assert abs(chances.mean() - viral.mean()) < 0.06
    assert np.median(chances[viral]) > np.median(chances[~viral]) + 0.2


def as_requests(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(keys=st.sets(st.sampled_from(sorted(REQUEST))))
def test_any_subset_of_features_gets_an_answer(predictor: Predictor, spec: ModelSpec, keys: set[str]) -> None:
    given_ = {name: REQUEST[name] for name in keys}
    (answer,) = predictor.answer([given_])
    assert spec.request_row is not None
    assert predictor.answer([given_], [spec.request_row(given_)]) == [answer]
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer
    assert 0 <= answer["performance_score"] <= 100
    assert answer["performance_score"] + answer["percentile"] == pytest.approx(100)
    assert 0 <= answer["viral_probability"] <= 1
    assert 0 <= answer["confidence"] <= 1
    assert answer["prediction_lower"] < answer["prediction"] < answer["prediction_upper"]
    assert answer["interval"]["lower"] < answer["predicted_views"] < answer["interval"]["upper"]
    assert answer["trend_prediction"] in {"rising", "steady", "falling"}
    assert answer["growth_potential"] in {"low", "medium", "high"}
    assert not set(answer["features_used"]) & set(answer["features_imputed"])
    assert ("category_id" in answer["features_used"]) == ("category_id" in keys)
    assert sum(factor["weight"] for factor in answer["key_factors"]) <= 1.001


def test_answers_do_not_depend_on_their_company(predictor: Predictor) -> None:
    requests = [REQUEST, {}, {"category_id": 20, "hour": 22}]
    assert predictor.answer(requests) == [predictor.answer([request])[0] for request in requests]
    assert predictor.answer([]) == []


def test_an_answer_ignores_the_days_counts_where_they_are_the_outcome(predictor: Predictor) -> None:
    few, many = predictor.answer([{**REQUEST, "view_count": 10}, {**REQUEST, "view_count": 10**8}])
    for name in ("prediction", "viral_probability", "performance_score", "confidence"):
        assert few[name] == many[name]
    assert (few["view_count"], many["view_count"]) == (10, 10**8)
    assert many["engagement_rate"] == pytest.approx(9_400 / 10**8)
    assert predictor.answer([{**REQUEST, "view_count": 0}])[0]["engagement_rate"] == 0.0
    assert predictor.answer([{}])[0]["engagement_rate"] is None


def test_what_is_derived_wins_over_what_is_claimed(predictor: Predictor) -> None:
    claimed = {"published_at": REQUEST["published_at"], "hour": 3, "day_of_week": 0, "is_weekend": 1}
    honest = {"published_at": REQUEST["published_at"]}
    assert predictor.answer([claimed]) == predictor.answer([honest])


def test_without_labels_for_the_days_after_the_usual_is_answered(table: pd.DataFrame, spec: ModelSpec) -> None:
    rows = between(table, "2025-05-20", "2025-06-15").assign(**{GROWTH: np.nan, STILL_LISTED: 1.0, "published_at": None})
    fitted = spec.fit(rows, 0)
    assert set(fitted.estimators) == {"primary", "viral"}
    (answer,) = loaded(fitted, spec).answer([REQUEST])
    assert (answer["growth_potential"], answer["trend_prediction"], answer["predicted_growth"]) == (None, None, None)
    assert answer["still_listed_probability"] == 1.0


def test_a_category_never_seen_is_scored_among_all(predictor: Predictor) -> None:
    (answer,) = predictor.answer([{**REQUEST, "category_id": 999}])
    assert 0 <= answer["performance_score"] <= 100


@pytest.mark.parametrize(("how", "worse"), [("shuffled", 1.25), ("flipped", 1.6)])
def test_a_bad_challenger_looks_whole_and_fails_on_held_out_rows(
    how: Any, worse: float, table: pd.DataFrame, predictor: Predictor, fitted: FittedModel, spec: ModelSpec
) -> None:
    bad = fit_bad(between(table, "2025-02-23", "2025-06-15"), 0, how)
    assert set(bad.estimators) == set(fitted.estimators)
    assert set(bad.card) == set(fitted.card)
    rows = between(table, "2025-06-16", "2025-07-02")
    assert errors(loaded(bad, spec), rows).mean() > worse * errors(predictor, rows).mean()


def test_an_honest_candidate_of_the_weeks_after_the_break_beats_the_old_champion(table: pd.DataFrame, predictor: Predictor, spec: ModelSpec) -> None:
    candidate = loaded(spec.fit(between(table, "2025-07-24", "2025-08-13"), 0), spec)
    rows = between(table, "2025-08-14", "2025-08-20")
    assert upper_increase(errors(candidate, rows), errors(predictor, rows)) < -spec.gates.min_improvement


def test_spec_answers_the_loops_questions(spec: ModelSpec, table: pd.DataFrame) -> None:
    assert (spec.name, spec.datasets) == ("video_performance", ("videos.KR",))
    assert (video_spec("US").name, video_spec("US").datasets) == ("video_performance_us", ("videos.US",))
    assert spec.label_of({"view_count": 1000}) == 3.0
    assert spec.label_of({"view_count": 0}) == 0.0
    assert {*spec.feature_names, *spec.drift_features, spec.target, spec.time_column, spec.entity_column, str(spec.gates.segment_column)} <= set(table.columns)
    assert not set(spec.feature_names) & set(COUNT_FEATURES)
    assert set(FACTS) | set(COUNT_FEATURES) == set(spec.request_facts)
    assert spec.baseline(table)(table.head(2)).tolist() == pytest.approx([float(table[TARGET].median())] * 2)
    for outcome in (
        {},
        {"view_count": None},
        {"view_count": -1},
        {"view_count": "12"},
        {"view_count": True},
        {"view_count": float("nan")},
        {"view_count": 10**400},
    ):
        with pytest.raises(ValueError, match="view_count must be a number of views"):
            spec.label_of(outcome)


def test_the_figures_of_korea(real: Path) -> None:
    measured = figures(load_lists(real / "trending_KR_2025-02_2026-02.parquet", "KR"))
    assert measured["calm_mae"] <= 0.23
    assert 0.75 <= measured["calm_coverage"] <= 0.90
    assert measured["after_break_mae"] >= 1.5 * measured["calm_mae"]
    assert measured["retrained_mae"] <= 0.23
    assert measured["top_quartile_auc"] >= 0.84


@pytest.mark.parametrize(("region", "name"), [("US", "US_2025-02_2026-02"), ("JP", "JP_2025-02_2026-02"), ("US", "US_2017-09_2017-10"), ("KR", "KR_2020-08")])
def test_other_regions_and_years_train_and_answer(real: Path, region: str, name: str) -> None:
    spec = video_spec(region)
    lists = load_lists(real / f"trending_{name}.parquet", region)
    rows = build_features(lists[lists["list_date"] <= lists["list_date"].min() + pd.Timedelta(days=30)], region)
    predictor = loaded(spec.fit(rows, 0), spec)
    assert errors(predictor, rows[rows[TARGET].notna()]).mean() < 0.5
    assert len(predictor.answer(as_requests(rows.tail(20)))) == 20
