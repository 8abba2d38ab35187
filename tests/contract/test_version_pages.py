"""Versions in pages, on every store: as many as are asked for, and of their errors what is shown of them."""

from __future__ import annotations

from typing import Any, cast

import pytest

from evergreen.ports.model_store import ModelStore
from evergreen.ports.versions import Spread, VersionRow
from tests.support.events import MODEL, NOON

DAY = NOON.date()
CARD: dict[str, Any] = {"approved": True, "gates": [{"name": "improvement"}], "n": 4}


@pytest.fixture
def models(store: object) -> ModelStore:
    found = cast(ModelStore, store)
    with found.transaction() as tx:
        for number, errors in enumerate(([0.1, 0.2, 0.3, 0.4], [0.1], None, []), 1):
            card = CARD if errors is None else {**CARD, "baseline_errors": errors}
            tx.versions.insert(VersionRow(MODEL, number, None, "r", "memory:", "manual", DAY, DAY, 9, NOON, scorecard=card))
        tx.versions.insert(VersionRow(MODEL, 5, None, "r", "memory:", "manual", DAY, DAY, 9, NOON))
        tx.versions.insert(VersionRow("another", 9, None, "r", "memory:", "manual", DAY, DAY, 9, NOON))
    return found


@pytest.mark.parametrize(("limit", "before", "numbers"), [(2, None, [5, 4]), (2, 4, [3, 2]), (9, 3, [2, 1]), (9, 1, []), (9, 99, [5, 4, 3, 2, 1])])
def test_a_page_begins_below_a_number_newest_first(models: ModelStore, limit: int, before: int | None, numbers: list[int]) -> None:
    with models.transaction() as tx:
        assert [one.row.version for one in tx.versions.page(MODEL, limit, before)] == numbers


def test_a_score_card_comes_without_its_errors_and_with_their_spread(models: ModelStore) -> None:
    with models.transaction() as tx:
        found = {one.row.version: one for one in tx.versions.page(MODEL, 9)}
    assert [found[number].row.scorecard for number in range(1, 6)] == [CARD, CARD, CARD, CARD, None]
    assert [found[number].errors for number in range(2, 6)] == [None] * 4
    errors = found[1].errors
    assert errors is not None
    assert tuple(errors) == pytest.approx(tuple(Spread(4, 0.25, 0.1290994)))
