from datetime import date

import pandas as pd
import pytest

from evergreen.services.gaps import missing_rows, spoilt_days, whole_entities, without_gaps

DAYS = {number: pd.Timestamp(2025, 3, number) for number in range(1, 10)}


def rows(*keys: tuple[str, int]) -> pd.DataFrame:
    return pd.DataFrame({"entity": [entity for entity, _ in keys], "day": [DAYS[day] for _, day in keys]}).astype({"entity": "str", "day": "datetime64[us]"})


def without(silver: pd.DataFrame, aside: pd.DataFrame) -> set[tuple[str, int]]:
    left = without_gaps(silver, missing_rows(silver, aside, "entity", "day"), "entity", "day")
    return {(entity, day.day) for entity, day in zip(left["entity"], left["day"], strict=True)}


SILVER = rows(("a", 1), ("a", 2), ("b", 2), ("b", 3), ("c", 1), ("c", 3), ("d", 2))


@pytest.mark.parametrize(
    ("aside", "left"),
    [
        pytest.param([], {("a", 1), ("a", 2), ("b", 2), ("b", 3), ("c", 1), ("c", 3), ("d", 2)}, id="nothing-aside"),
        pytest.param([("b", 1)], {("a", 1), ("a", 2), ("c", 1), ("c", 3), ("d", 2)}, id="its-first-row"),
        pytest.param([("a", 1)], {("a", 1), ("a", 2), ("b", 2), ("b", 3), ("c", 1), ("c", 3), ("d", 2)}, id="repaired-since"),
        pytest.param([("c", 2)], {("a", 1), ("a", 2), ("b", 2), ("b", 3), ("c", 1), ("c", 2), ("c", 3), ("d", 2)}, id="a-later-row-that-is-known-to-be-there"),
        pytest.param([("c", 5)], {("a", 1), ("a", 2), ("b", 2), ("b", 3), ("c", 1), ("c", 3), ("d", 2)}, id="a-day-without-rows-says-nothing-of-others"),
        pytest.param([("e", 2)], {("a", 1), ("a", 2), ("b", 2), ("b", 3), ("c", 1), ("c", 3), ("d", 2)}, id="never-seen-again"),
    ],
)
def test_an_entity_is_there_with_its_first_row_or_not_at_all(aside: list[tuple[str, int]], left: set[tuple[str, int]]) -> None:
    assert without(SILVER, rows(*aside)) == left


def test_a_day_before_all_others_is_an_error_in_a_date() -> None:
    later = SILVER[SILVER["day"] > DAYS[1]]
    assert len(without(later, rows(("b", 1)))) == len(later)


def test_the_key_of_a_missing_row_carries_no_value() -> None:
    silver = SILVER.assign(views=pd.array([1] * len(SILVER), dtype="Int64"), region="KR")
    missing = rows(("c", 2)).assign(region="KR", views=99)
    known = without_gaps(silver, missing.drop(columns="views"), "entity", "day").iloc[-1]
    assert (known["entity"], known["region"]) == ("c", "KR")
    assert known["views"] is pd.NA


def test_a_table_without_rows_stays_one() -> None:
    assert whole_entities(SILVER.iloc[:0], rows(("a", 1)), "entity", "day").empty
    assert missing_rows(SILVER.iloc[:0], rows(("a", 1)), "entity", "day").empty


def test_a_day_is_spoilt_when_three_tenths_of_it_are_missing() -> None:
    silver = rows(*((f"v{at}", day) for day in (1, 2, 3) for at in range(7)))
    aside = rows(*((f"w{at}", 2) for at in range(3)), *((f"w{at}", 3) for at in range(2)), ("w0", 4))
    assert spoilt_days(silver, missing_rows(silver, aside, "entity", "day"), "day") == [date(2025, 3, 2), date(2025, 3, 4)]
