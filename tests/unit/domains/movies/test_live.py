"""What happens live, in the movie domain's words: rows the model was trained on, batches ingest takes, lists by a version as serving loads it."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from evergreen.core.recommending import Taste, Touched
from evergreen.domains.movies.compiling import build
from evergreen.domains.movies.dataset import movie_dataset
from evergreen.domains.movies.live import batch_of, feature_row
from evergreen.domains.movies.names import AT, ENTITY, MOVIE, RECENT, SINCE_LAST
from evergreen.ports.interactions import InteractionRow
from evergreen.ports.model import FittedModel, ModelSpec
from evergreen.ports.profiles import Place, Ranks
from evergreen.ports.recommending import Ranker
from evergreen.services.make_list import ListMaker

NOON = datetime(2025, 7, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def ranker(spec: ModelSpec, fitted: FittedModel) -> Ranker:
    assert spec.form is not None
    assert spec.answers is not None
    arrays, _ = build(fitted.estimators, fitted.card, None)
    answering = spec.answers(spec.form.heads(arrays, fitted.card), fitted.card)
    assert isinstance(answering, Ranks)
    return answering.ranker("movie_recommender@1")


def test_a_live_row_is_the_row_training_would_have_made(table: pd.DataFrame, spec: ModelSpec) -> None:
    """Of users the table knows from their beginning: their history told live, one by one."""
    told: dict[str, list[Touched]] = {}
    compared = 0
    for row in table.sort_values(AT).head(2_000).to_dict("records"):
        user, at = str(row[ENTITY]).partition(":")[0], pd.Timestamp(row[AT]).to_pydatetime()
        history = told.setdefault(user, [])
        made = feature_row(f"{row[MOVIE]:.0f}", at, history)
        assert made is not None
        if not history or history[0].at < at:  # two at one moment have no order
            expected = {name: float(row[name]) for name in spec.feature_names if not math.isnan(float(row[name]))}
            assert made == pytest.approx(expected)
            compared += 1
        history.insert(0, Touched(f"{row[MOVIE]:.0f}", "like", at))
    assert compared > 500
    assert set(made or ()) <= {MOVIE, SINCE_LAST, *RECENT}


def test_what_is_announced_is_taken_in_whole() -> None:
    kinds = ["view", "click", "like", "purchase", "high_rating", "recommendation_click", "low_rating", "note", "rating"]
    rows = [
        InteractionRow(
            "/app", f"e{at}", NOON + timedelta(minutes=at), "ann", kind, (str(at + 1),), 3.0 if kind == "rating" else None, None, {}, {}, Place("", "", 0, at)
        )
        for at, kind in enumerate(kinds)
    ]
    checked = movie_dataset().validate(batch_of(rows), date(2025, 7, 1))
    assert list(checked.clean["interaction"]) == kinds
    assert checked.quarantined.empty


def test_a_version_makes_lists_with_reasons(ranker: Ranker) -> None:
    maker = ListMaker(ranker)
    popular = maker.make(Taste(), 20)
    assert len({item["item_id"] for item in popular}) == 20
    watched = Taste(history=(Touched(ranker.items[0], "like", NOON),), count=1, at=NOON)
    found = maker.make(watched, 20)
    assert ranker.items[0] not in {item["item_id"] for item in found}
    assert any(item["reason"].startswith("because you watched") for item in found)
    assert np.isfinite([item["score"] for item in found]).all()
