"""Several copies of intake, and runs that claim meanwhile, on one Postgres."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from evergreen.adapters.postgres.store import PostgresStore
from evergreen.contracts.actions import ActionKind, ActionStatus
from evergreen.contracts.envelope import encode
from evergreen.contracts.topics import TOPIC_OF
from evergreen.core.decision import GENESIS
from evergreen.settings import Settings
from tests.support.claims import emptied
from tests.support.events import MODEL, event
from tests.support.intake_bench import CATALOGUE, Bench

pytestmark = pytest.mark.connected
OTHER = "video_performance_us"


@pytest.fixture
def store(postgres_settings: Settings) -> Iterator[PostgresStore]:
    opened = PostgresStore(postgres_settings.postgres.dsn.get_secret_value(), max_connections=12)
    yield emptied(opened)
    opened.close()


def together(*works: Callable[[], object]) -> None:
    with ThreadPoolExecutor(len(works)) as pool:
        for done in [pool.submit(work) for work in works]:
            done.result(timeout=90)


def test_the_same_events_in_every_copy_have_one_effect_and_unbroken_chains(store: PostgresStore) -> None:
    events = [event("data_processed", batch_id=f"b{number}", dataset=random.Random(number).choice(["videos.KR", "videos.US"])) for number in range(120)]
    events += [event("data_ingested", batch_id=f"i{number}") for number in range(60)]

    def copy(seed: int) -> None:
        bench, mine = Bench(store), events[:]
        random.Random(seed).shuffle(mine)
        for start in range(0, len(mine), 20):
            taken = bench.take_in.run([bench.message(encode(one), TOPIC_OF[one.type]) for one in mine[start : start + 20]])
            assert taken.poison == {}

    together(*(lambda seed=seed: copy(seed) for seed in range(3)))

    bench = Bench(store)
    with store.transaction() as tx:
        assert len(tx.events.known([(one.source, one.id) for one in events])) == len(events)
    for model in (MODEL, OTHER, "-"):
        rows, previous = bench.decisions(model), GENESIS
        assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
        for row in rows:
            assert row.prev_hash == previous
            previous = row.hash
    assert len(bench.decisions("-")) == 60
    assert {row.action.target for row in bench.due() if row.action.kind is ActionKind.INGEST} == {f"i{number}" for number in range(60)}


def test_what_is_absorbed_while_runs_claim_is_worked_on_once(store: PostgresStore) -> None:
    """A window that joins a waiting check is in that check when it is claimed; one that comes too late waits in the next."""
    windows = [{"first_day": f"2025-{month:02}-{day:02}", "last_day": f"2025-{month:02}-{day:02}"} for month in range(1, 5) for day in range(1, 28)]
    ended, checked = threading.Event(), list[dict[str, str]]()

    def announce() -> None:
        bench = Bench(store)
        for window in windows:
            bench.send(event("data_processed", dataset="videos.US", window=window, batch_id=window["first_day"]))
        ended.set()

    def work() -> None:
        bench, number = Bench(store), 0
        while True:
            last, number = ended.is_set(), number + 1
            with store.transaction() as tx:
                claimed = tx.actions.claim(ActionKind.DRIFT_CHECK, f"run{number}", bench.clock.now(), timedelta(minutes=1))
            if claimed is not None:
                checked.extend(claimed.action.params["windows"])
                with store.transaction(claimed.lease) as tx:
                    tx.actions.finish(claimed.lease, ActionStatus.SUCCEEDED, result={})
            elif last:
                return

    together(announce, work)

    assert sorted(window["first_day"] for window in checked) == sorted(window["first_day"] for window in windows)
    assert set(CATALOGUE) == {MODEL, OTHER}
