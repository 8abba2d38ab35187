"""Factors, gains and lists of a fitted version, by its estimator and by arrays."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evergreen.core.errors import NotEnoughData, NotExact
from evergreen.domains.movies.answers import MovieAnswers, heads
from evergreen.domains.movies.compiling import build
from evergreen.domains.movies.factors import EVIDENCE, HALF_LIFE_DAYS, SHOWN, Factors, faded
from evergreen.domains.movies.names import FEATURES, MOVIE, RECENT, TARGET
from evergreen.domains.movies.ranker import MIN_POSITIVE
from evergreen.ports.model import FittedModel, ModelSpec
from evergreen.ports.recommending import Ranker
from evergreen.ports.registry import GoldenRows


@pytest.fixture(scope="module")
def arrays(fitted: FittedModel) -> Any:
    return build(fitted.estimators, fitted.card, None)[0]


@pytest.fixture(scope="module")
def ranker(arrays: Any, fitted: FittedModel) -> Ranker:
    return MovieAnswers(heads(arrays, fitted.card), fitted.card).ranker("movie_recommender@3")


def loved(ranker: Ranker, genre: str, many: int) -> list[tuple[str, float]]:
    return [(item, 1.0) for item in ranker.popular if ranker.genres(item)[0] == genre][:many]


def test_training_is_deterministic_and_its_card_is_json(fitted: FittedModel, training: pd.DataFrame, spec: ModelSpec) -> None:
    again = spec.fit(training.sample(frac=1.0, random_state=2), 0)
    first, second = fitted.estimators["primary"].factors(), again.estimators["primary"].factors()
    assert (first.movies == second.movies).all()
    assert np.abs(first.items @ first.items.T - second.items @ second.items.T).max() < 1e-9
    assert json.loads(json.dumps(fitted.card)) == fitted.card == again.card
    same = spec.fit(training, 0).estimators["primary"].factors()
    assert (same.items == first.items).all()


def test_too_little_to_learn_from_is_said(training: pd.DataFrame, spec: ModelSpec) -> None:
    with pytest.raises(NotEnoughData, match="49 positive interactions"):
        spec.fit(training.head(49), 0)
    with pytest.raises(NotEnoughData, match="of 1 users"):
        spec.fit(training[training["user_id"] == training["user_id"].mode()[0]].sample(60, replace=True, random_state=0), 0)


def _plain_gain(factors: Factors, row: Any) -> float:
    """By the formula, one movie after the other."""
    at = {int(movie): place for place, movie in enumerate(factors.movies)}
    history = [at[int(movie)] for movie in row[list(RECENT)] if movie == movie and int(movie) in at]
    weight = faded(0.0 if np.isnan(row["since_last"]) else row["since_last"])
    personal = sum((weight / np.sqrt(place) * factors.items @ factors.items[movie] for place, movie in enumerate(history, 1)), np.zeros(len(factors.movies)))
    evidence = weight * len(history)
    share = evidence / (evidence + EVIDENCE)
    score = share * personal / personal.max() + (1 - share) * factors.popularity if personal.max() > 0 else factors.popularity
    if row[MOVIE] not in at:
        return 0.0
    rank = 1 + sum(value > score[at[int(row[MOVIE])]] + 1e-9 for place, value in enumerate(score) if place not in history)
    return 1 / np.log2(1 + rank) if rank <= SHOWN else 0.0


def test_gains_follow_the_formula(fitted: FittedModel, table: pd.DataFrame, spec: ModelSpec) -> None:
    factors = fitted.estimators["primary"].factors()
    rows = table.iloc[::61]
    expected = [_plain_gain(factors, row) for _, row in rows.iterrows()]
    assert sum(value > 0 for value in expected) > 5
    assert spec.predictor(fitted.estimators, fitted.card).predict(rows) == pytest.approx(expected, abs=1e-9)


def test_arrays_say_what_the_estimator_says_one_by_one_and_together(fitted: FittedModel, arrays: Any, table: pd.DataFrame) -> None:
    made, matrix = heads(arrays, fitted.card), table[list(FEATURES)].to_numpy(dtype=np.float64)[::7]
    said = fitted.estimators["primary"].predict(matrix)
    assert (made.many(matrix)["primary"] == said).all()
    assert [made.one(row)["primary"] for row in matrix[:100].tolist()] == said[:100].tolist()
    assert made.many(np.empty((0, len(FEATURES))))["primary"].shape == (0,)


def test_a_form_that_says_something_else_is_refused(fitted: FittedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    golden = GoldenRows(FEATURES, [[float(movie), *[None] * (len(FEATURES) - 1)] for movie in range(1, 400)], [0.0] * 399)
    assert build(fitted.estimators, fitted.card, golden)[1] == 0.0
    right = Factors.places
    monkeypatch.setattr("evergreen.domains.movies.answers.from_arrays", lambda arrays: Factors(arrays["movies"], -arrays["items"], 1 - arrays["popularity"]))
    with pytest.raises(NotExact):
        build(fitted.estimators, fitted.card, golden)
    assert Factors.places is right


def test_nobody_knows_anything_of_a_newcomer_but_what_is_popular(ranker: Ranker) -> None:
    scores = ranker.scores([])
    assert [ranker.items[at] for at in np.argsort(-scores, kind="stable")] == list(ranker.popular)
    assert (ranker.scores([("99999999", 1.0)]) == scores).all()
    assert not ranker.user_vector([]).any()


def test_a_history_brings_its_own_kind_to_the_top_and_the_newest_counts_most(ranker: Ranker) -> None:
    first, second = "Action", "Drama"
    for genre, other in ((first, second), (second, first)):
        scores = ranker.scores([*loved(ranker, genre, 3), *loved(ranker, other, 3)])
        fresh = {item for item, _ in [*loved(ranker, genre, 3), *loved(ranker, other, 3)]}
        best = [item for item in (ranker.items[at] for at in np.argsort(-scores)) if item not in fresh][:5]
        assert sum(ranker.genres(item)[0] == genre for item in best) >= 3


def test_the_less_a_history_weighs_the_more_counts_what_is_popular(ranker: Ranker) -> None:
    popular, history = ranker.scores([]), loved(ranker, "Drama", 5)
    distance = [np.abs(ranker.scores([(item, weight) for item, _ in history]) - popular).max() for weight in (1.0, 0.1, 0.001)]
    assert distance == sorted(distance, reverse=True)
    assert distance[-1] < 0.05
    assert (faded(0.0), faded(-3.0), faded(HALF_LIFE_DAYS)) == (1.0, 1.0, 0.5)


def test_similar_movies_and_similar_users(ranker: Ranker) -> None:
    (item, _), *_ = loved(ranker, "Drama", 1)
    near = ranker.similar(item, at_least=0.2, most=5)
    assert 0 < len(near) <= 5
    assert [cosine for _, cosine in near] == sorted((cosine for _, cosine in near), reverse=True)
    assert item not in dict(near)
    one, other, stranger = (ranker.user_vector(loved(ranker, genre, many)) for genre, many in (("Drama", 6), ("Drama", 9), ("Action", 6)))
    assert float(one @ one) == pytest.approx(1.0)
    assert float(one @ other) > 0.7 > float(one @ stranger)


def test_a_movie_few_have_seen_is_near_what_is_like_it_by_content(fitted: FittedModel, arrays: Any) -> None:
    facts = dict(fitted.card["movies"])
    facts["positives"] = [MIN_POSITIVE - 1 if at == 0 else MIN_POSITIVE for at in range(len(facts["titles"]))]
    facts["genres"] = ["Drama|War" if at < 4 else "Comedy" for at in range(len(facts["titles"]))]
    facts["years"] = [1990, 1990, 1995, None, *[1990] * (len(facts["titles"]) - 4)]
    card = {**fitted.card, "movies": facts}
    ranker = MovieAnswers(heads(arrays, card), card).ranker("m@1")
    near = ranker.similar(ranker.items[0], at_least=0.4, most=10)
    assert [(item, round(value, 3)) for item, value in near] == [(ranker.items[1], 1.0), (ranker.items[2], 0.607), (ranker.items[3], 0.5)]
    assert ranker.similar("no such movie", at_least=0.0, most=10) == ()
    assert (ranker.genres("no such movie"), ranker.title("no such movie")) == ((), "no such movie")
    assert [ranker.title(ranker.items[at]) for at in (0, 3)] == [f"{facts['titles'][0]} (1990)", facts["titles"][3]]
    assert ranker.version == "m@1"


def test_what_is_answered_and_what_is_told(fitted: FittedModel, arrays: Any, spec: ModelSpec) -> None:
    assert spec.answers is not None
    answering = spec.answers(heads(arrays, fitted.card), fitted.card)
    best = float(max(zip(arrays["popularity"], arrays["movies"], strict=True))[1])
    said = answering.answer([{}, {"movie_id": best}, {"movie_id": "x", "recent_1": best}])
    assert [answer["prediction"] for answer in said] == [0.0, 1.0, 0.0]
    assert all((answer["prediction_lower"], answer["prediction_upper"]) == (0.0, 1.0) for answer in said)
    assert spec.label_of({TARGET: 1}) == 1.0
    for wrong in ({}, {TARGET: 0.5}, {TARGET: "yes"}):
        with pytest.raises(ValueError, match="must be 1"):
            spec.label_of(wrong)
    assert spec.request_row is not None
    strange: dict[str, Any] = {
        "recent_1": None,
        "recent_2": "x",
        "recent_3": [],
        "recent_4": float("nan"),
        "recent_5": 10**400,
        "recent_6": float("inf"),
        "x": 1,
    }
    assert spec.request_row({"movie_id": 3, "recent_7": "5", **strange}) == {"movie_id": 3.0, "recent_7": 5.0}
    assert answering.answer([{"movie_id": best, **strange}])[0]["prediction"] == 1.0


def test_the_trivial_method_is_what_was_liked_lately(training: pd.DataFrame, spec: ModelSpec) -> None:
    predict = spec.baseline(training)
    counts = training[MOVIE].value_counts()
    asked = pd.DataFrame({MOVIE: [counts.index[0], counts.index[-1], 123456.0]})
    assert predict(asked).tolist() == [1.0, 0.0, 0.0]
    old = training.assign(day=training["day"].where(training[MOVIE] != counts.index[0], training["day"] - pd.Timedelta(days=400)))
    assert spec.baseline(old)(asked).tolist() == [0.0, 0.0, 0.0]


def test_a_version_of_other_heads_is_none_of_ours(fitted: FittedModel, spec: ModelSpec) -> None:
    assert spec.answers is not None
    with pytest.raises(TypeError, match="ranks no movies"):
        spec.answers(replace(fitted), fitted.card)  # type: ignore[arg-type]
