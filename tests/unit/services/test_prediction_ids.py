"""Ids of answers."""

from __future__ import annotations

from uuid import UUID

from evergreen.services.prediction_ids import Ids


def test_ids_are_different_uuids_of_version_7_in_the_order_of_time() -> None:
    ids = Ids()
    made = [UUID(ids.next()) for _ in range(2_000)]
    assert len(set(made)) == len(made)
    assert {(one.version, one.variant) for one in made} == {(7, "specified in RFC 4122")}
    times = [one.int >> 80 for one in made]
    assert times == sorted(times)
    assert len({Ids().next() for _ in range(3)}) == 3
