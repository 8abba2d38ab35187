"""Ratings into real Delta tables: a folder's batches as `evergreen load movies` announces them, live interactions beside them, what is unfit aside."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from evergreen.adapters.delta_lake import DeltaLake
from evergreen.adapters.memory.serving import MemoryPublisher
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.cli.movies import movie_batches, simulated_batches
from evergreen.contracts.actions import ActionKind
from evergreen.core.clock import FixedClock
from evergreen.core.release import released_at
from evergreen.domains.movies.dataset import movie_dataset
from evergreen.domains.movies.names import DATASET
from evergreen.domains.movies.spec import movie_spec
from evergreen.services.announce import Announce
from evergreen.services.carry_out import CarryOut
from evergreen.services.ingest import Ingest
from evergreen.services.replay import Batch
from evergreen.services.training import feature_table, read_silver
from evergreen.settings import Settings, load_settings
from tests.support.claims import claimed, emptied

pytestmark = pytest.mark.connected


@dataclass
class Bench:
    store: PostgresStore
    clock: FixedClock
    lake: DeltaLake
    announce: Announce

    def load(self, batches: Sequence[Batch]) -> list[dict[str, Any]]:
        ingest = Ingest(self.store, self.lake, CarryOut(self.store, self.clock), self.clock, {DATASET: movie_dataset()})
        done = []
        for batch in batches:
            self.clock.at = max(self.clock.at, batch.release)
            event = self.announce.run(DATASET, batch.rows, batch.first_day, batch.last_day)
            claim = claimed(self.store, self.clock, ActionKind.INGEST, dict(event.data), target=event.data["batch_id"], as_of=self.clock.at)
            done.append(dict(ingest.run(claim)))
        return done


@pytest.fixture
def bench(postgres_settings: Settings, tmp_path: Path) -> Iterator[Bench]:
    store = emptied(PostgresStore(postgres_settings.postgres.dsn.get_secret_value()))
    clock = FixedClock(released_at(date(2018, 12, 31)))
    yield Bench(store, clock, DeltaLake(tmp_path, {DATASET: movie_dataset()}), Announce(MemoryPublisher(), clock, tmp_path / "inbox"))
    store.close()


@pytest.mark.slow
def test_a_hundred_thousand_ratings_are_in_with_a_dozen_batches(bench: Bench, record_property: Any) -> None:
    folder = load_settings(with_stack=False).test_data / "movielens" / "ml-latest-small"
    if not folder.is_dir():
        pytest.skip("no real ratings on this machine")
    begun = time.monotonic()
    done = bench.load(movie_batches(folder, None, None, 730))
    record_property("seconds_to_load", time.monotonic() - begun)
    assert sum(one["rows"] for one in done) == 100_836
    assert {one["outcome"] for one in done} == {"accepted"}
    assert not any(one["issues"] for one in done)
    spec = movie_spec()
    table = feature_table(spec, read_silver(bench.lake, spec, bench.clock.at), bench.clock.at)
    assert len(table) == 48_580


def test_again_changes_nothing_and_what_is_unfit_is_left_out_of_training(bench: Bench) -> None:
    batches = simulated_batches(date(2025, 1, 1), date(2025, 1, 8), 7, None, 4)
    lost = batches[0].rows.iloc[[0]].assign(rating="many")
    spoilt = [Batch(batches[0].first_day, batches[0].last_day, pd.concat([batches[0].rows.iloc[1:].astype({"rating": "str"}), lost])), batches[1]]
    assert [(one["quarantined"], one["outcome"]) for one in bench.load(spoilt)] == [(1, "accepted"), (0, "accepted")]
    silver = bench.lake.silver(DATASET)
    assert [one["outcome"] for one in bench.load(spoilt)] == ["repeated"] * 2
    pd.testing.assert_frame_equal(bench.lake.silver(DATASET), silver)
    ((_, aside),) = bench.lake.quarantined(DATASET)
    assert aside["reason"].tolist() == ["rating: missing, or no number"]
    assert bench.lake.set_aside(DATASET)["interaction_id"].tolist() == [f"{lost['user_id'].iloc[0]}:{lost['movie_id'].iloc[0]}"]


def test_a_live_day_stands_beside_the_ratings(bench: Bench) -> None:
    batches = simulated_batches(date(2025, 1, 1), date(2025, 1, 4), 7, None, 4)
    bench.load(batches)
    at, user = pd.Timestamp("2025-01-05T10:00Z"), batches[0].rows.loc[lambda rows: rows["rating"] >= 4, "user_id"].iloc[0]
    live = pd.DataFrame({"user_id": [user, "guest"], "movie_id": ["9999", "9999"], "interaction": ["purchase", "view"], "rating": [None, None], "at": at})
    assert bench.load([Batch(date(2025, 1, 5), date(2025, 1, 5), live.assign(source="live"))])[0]["rows"] == 2
    spec = movie_spec()
    table = feature_table(spec, read_silver(bench.lake, spec, bench.clock.at), bench.clock.at)
    newest = table[table["day"] == pd.Timestamp("2025-01-05")]
    assert newest["interaction_id"].tolist() == [f"{user}:9999"], "a view is kept, and is no positive"
    assert newest["recent_1"].notna().all(), "it knows what the user rated"
