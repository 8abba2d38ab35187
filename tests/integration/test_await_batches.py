"""`evergreen load` watches until what it announced is in, on real Postgres."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime
from typing import Literal

import pytest

from evergreen.adapters.postgres.store import PostgresStore
from evergreen.contracts.events import DataIngested, Window
from evergreen.ports.batches import BatchRow
from evergreen.services.await_batches import AwaitBatches, BatchesNotIn

pytestmark = pytest.mark.connected
DAY = date(2025, 7, 1)


def announced(batch_id: str, sha256: str = "a" * 64) -> DataIngested:
    return DataIngested(batch_id=batch_id, dataset="loans.rows", path="/inbox/x", rows=3, window=Window(first_day=DAY, last_day=DAY), sha256=sha256)


def taken_in(store: PostgresStore, batch: DataIngested, status: Literal["accepted", "rejected"] = "accepted") -> None:
    row = BatchRow(batch.dataset, batch.batch_id, batch.sha256, DAY, DAY, 2, 1, [], "", status, False, datetime(2025, 7, 2, tzinfo=UTC))
    with store.transaction() as tx:
        tx.batches.record(row)


def test_each_is_told_as_soon_as_it_is_in(store: PostgresStore) -> None:
    first, second, third = (announced(f"loans.{number}") for number in range(3))
    taken_in(store, second)
    told = AwaitBatches(store).run([first, second, third], 30)
    assert next(told).batch_id == second.batch_id
    later = threading.Timer(0.2, taken_in, (store, first, "rejected"))
    later.start()
    assert next(told).batch_id == first.batch_id
    later.join()
    taken_in(store, third)
    assert [(row.batch_id, row.rows, row.quarantined) for row in told] == [(third.batch_id, 2, 1)]


def test_what_was_there_under_the_same_name_is_another_batch(store: PostgresStore) -> None:
    taken_in(store, announced("loans.0", "b" * 64))
    with pytest.raises(BatchesNotIn, match=r"1 of 1 batches are not in after 0 s \(loans.0 is the first\)"):
        list(AwaitBatches(store).run([announced("loans.0")], 0))


def test_when_the_time_is_over_it_says_how_many_are_missing(store: PostgresStore) -> None:
    taken_in(store, announced("loans.0"))
    told = AwaitBatches(store).run([announced(f"loans.{number}") for number in range(3)], 0.5)
    assert next(told).batch_id == "loans.0"
    with pytest.raises(BatchesNotIn, match=r"2 of 3 batches .*loans.1 is the first.*evergreen status"):
        next(told)


def test_nothing_announced_is_nothing_to_wait_for(store: PostgresStore) -> None:
    assert list(AwaitBatches(store).run([], 0)) == []
