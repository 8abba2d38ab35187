"""What batches say of a user, put together with the live profile."""

from __future__ import annotations

import json
from datetime import timedelta

from evergreen.core.as_of import Place
from evergreen.core.earlier import Earlier, earlier_of, features_of, with_earlier
from evergreen.core.recommending import HISTORY, Taste, Touched, milliseconds
from tests.support.events import NOON

LIVE = Taste(
    history=(Touched("1", "click", NOON), Touched("2", "low_rating", NOON - timedelta(hours=1))),
    owned=frozenset({"2"}),
    preferences={"Drama": 0.5},
    count=2,
    as_of={"interactions": Place(0, 7)},
    at=NOON,
)
EARLIER = Earlier(
    (
        Touched("1", "high_rating", NOON - timedelta(minutes=1)),
        Touched("3", "like", NOON - timedelta(minutes=30)),
        Touched("2", "like", NOON - timedelta(days=9)),
    ),
    frozenset({"2", "3", "4"}),
)


def test_the_live_word_counts_and_each_item_once() -> None:
    found = with_earlier(LIVE, EARLIER)
    assert [(touched.item, touched.kind) for touched in found.history] == [("1", "click"), ("3", "like"), ("2", "low_rating")]
    assert found.owned == {"2", "3", "4"}
    assert (found.count, found.as_of, found.preferences, found.at) == (2, LIVE.as_of, LIVE.preferences, NOON)


def test_again_it_changes_nothing_and_what_was_done_live_may_come_back() -> None:
    once = with_earlier(LIVE, EARLIER)
    assert with_earlier(once, EARLIER) == once
    assert with_earlier(LIVE, Earlier(LIVE.history, LIVE.owned)) == LIVE


def test_a_history_stays_as_long_as_it_is_and_newest_first() -> None:
    old = Earlier([Touched(f"m{number}", "like", NOON - timedelta(days=number)) for number in range(1, 200)])
    found = with_earlier(LIVE, old).history
    assert len(found) == HISTORY
    assert [touched.at for touched in found] == sorted((touched.at for touched in found), reverse=True)
    assert found[:2] == LIVE.history


def test_an_entry_of_the_store_says_the_same_after_json() -> None:
    told = features_of([(touched.item, touched.kind, milliseconds(touched.at)) for touched in EARLIER.history], sorted(EARLIER.owned))
    assert earlier_of(json.loads(json.dumps(told))) == Earlier(list(EARLIER.history), EARLIER.owned)
    assert earlier_of({"history": [["1", "stare", 5]], "owned": []}).history == []
