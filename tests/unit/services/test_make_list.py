"""Lists by a tiny version: what is near comes first, what was touched does not come again, and each says why."""

from __future__ import annotations

from datetime import timedelta

import pytest

from evergreen.core.ranking import Knobs
from evergreen.core.recommending import AWAY_HALF_LIFE, Taste, Touched
from evergreen.services.make_list import ListMaker
from tests.support.events import NOON
from tests.support.tiny_ranker import TinyRanker

MAKER = ListMaker(TinyRanker(), Knobs(diversity=0.0))


def ids(taste: Taste, k: int = 5) -> list[str]:
    return [item["item_id"] for item in MAKER.make(taste, k)]


def watched(*items: str, kind: str = "like") -> Taste:
    return Taste(history=tuple(Touched(item, kind, NOON) for item in items), count=len(items))


def test_an_unknown_user_gets_what_is_popular() -> None:
    found = MAKER.make(Taste(), 3)
    assert [item["item_id"] for item in found] == ["m0", "m1", "m2"]
    assert {item["reason"] for item in found} == {"popular now"}


def test_a_known_one_gets_what_is_near_and_is_told_why() -> None:
    found = MAKER.make(watched("m20"), 4)
    assert {item["item_id"] for item in found} == {"m18", "m19", "m21", "m22"}
    assert {item["reason"] for item in found} == {"because you watched Movie 20"}
    assert found[0]["title"] == f"Movie {found[0]['item_id'][1:]}"


def test_what_was_rated_bought_or_touched_is_left_out() -> None:
    taste = watched("m20", "m10")
    found = ids(Taste(history=taste.history, owned=frozenset({"m19", "unknown"})), 40)
    assert not {"m20", "m10", "m19"} & set(found)
    assert len(found) == 37


def test_a_low_rating_is_no_taste() -> None:
    assert ids(watched("m20", kind="low_rating"), 3) == ["m0", "m1", "m2"]


def test_what_is_boosted_is_looked_at_however_far_it_is() -> None:
    large = ListMaker(TinyRanker(size=400), Knobs(diversity=0.0))
    taste = Taste(history=watched("m0").history, boosts={"m200": 1.8}, count=1)
    assert "m200" in [candidate.item for candidate in large._shortlist(taste, 60, frozenset())]
    assert "m200" not in [candidate.item for candidate in large._shortlist(watched("m0"), 60, frozenset())]


@pytest.mark.parametrize(("away", "share"), [(timedelta(0), 1.0), (AWAY_HALF_LIFE, 0.5), (-AWAY_HALF_LIFE, 1.0)])
def test_of_somebody_who_was_away_the_history_says_less(away: timedelta, share: float) -> None:
    taste = Taste(history=watched("m1").history, at=NOON + away)
    [(item, weight)] = taste.weighted()
    assert item == "m1"
    assert weight == pytest.approx(0.7 * share)
