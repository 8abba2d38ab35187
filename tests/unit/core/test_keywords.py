from __future__ import annotations

import pytest

from evergreen.adapters.search_sql import has_trigram, short_terms, walks
from evergreen.core.errors import InvalidRequest
from evergreen.core.keywords import contains_pattern, keyword_of


def test_white_space_around_a_keyword_is_not_looked_for_and_within_it_is_a_space() -> None:
    assert keyword_of("\t 서울\n여행 ") == "서울 여행"


@pytest.mark.parametrize("typed", ["", " ", "\n\t\r"])
def test_nothing_cannot_be_looked_for(typed: str) -> None:
    with pytest.raises(InvalidRequest, match="nothing to look for"):
        keyword_of(typed)


def test_wildcards_stand_for_themselves() -> None:
    assert contains_pattern("50%_\\") == r"%50\%\_\\%"


def test_a_phrase_of_short_pieces_is_narrowed_by_their_characters_and_pairs() -> None:
    assert short_terms("a bc") == ["a", "bc"]
    assert not has_trigram("a bc")
    assert has_trigram("서울 여행지")


def test_walking_down_the_views_is_for_frequent_keywords() -> None:
    assert walks(11, 1_000_000, 100_000)
    assert not walks(11, 1_000_000, 1_000)
    assert not walks(11, 0, 0)
