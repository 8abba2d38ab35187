from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.core.as_of import STREAMS, AsOf, Place, place_of, read_as_of, reflects, write_as_of

PLACES = st.builds(Place, st.integers(0, 999), st.integers(0, 10**12))
KNOWN = st.dictionaries(st.sampled_from(sorted(STREAMS.values())), PLACES)


@given(KNOWN)
def test_what_is_written_is_read_again(known: AsOf) -> None:
    assert read_as_of(write_as_of(known)) == known
    assert reflects(known, known)


@given(KNOWN, KNOWN)
def test_a_list_reflects_what_is_not_behind_it_in_any_stream(known: AsOf, wanted: AsOf) -> None:
    expected = all(stream in known and known[stream].partition == place.partition and known[stream].offset >= place.offset for stream, place in wanted.items())
    assert reflects(known, wanted) is expected


def test_a_place_names_its_stream() -> None:
    assert read_as_of(place_of("business.recommendation.clicked", 2, 17)) == {"clicks": Place(2, 17)}
    with pytest.raises(KeyError):
        place_of("data.ingested", 0, 0)


@pytest.mark.parametrize("text", ["2:1841", "views:0:1", "interactions:-1:2", "interactions:0:1,", "interactions:0:x", "interactions:٣:1", "clicks:0:1 "])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="interactions:2:1841"):
        read_as_of(text)


def test_of_one_stream_told_twice_the_newest_counts() -> None:
    assert read_as_of("clicks:0:7,clicks:0:3") == {"clicks": Place(0, 7)}
