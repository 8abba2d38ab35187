"""Ingest against real Postgres and Delta tables: good batches, every kind of bad one, repeats and zombies."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from evergreen.adapters.delta_lake import DeltaLake
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.contracts.actions import ActionKind
from evergreen.contracts.events import DataIngested, Window
from evergreen.core.clock import FixedClock
from evergreen.core.errors import Fenced
from evergreen.core.release import released_at
from evergreen.domains.videos.dataset import video_dataset
from evergreen.domains.videos.simulator import Incident, simulate
from evergreen.ports.storage import ClaimedAction
from evergreen.services.carry_out import CarryOut
from evergreen.services.ingest import Ingest
from evergreen.settings import Settings
from tests.support.claims import claimed, emptied, said

pytestmark = pytest.mark.connected
DATASETS = {"videos.KR": video_dataset("KR")}
FIRST, LAST = date(2025, 6, 30), date(2025, 7, 6)


@dataclass
class Bench:
    store: PostgresStore
    lake: DeltaLake
    clock: FixedClock
    ingest: Ingest
    inbox: Path

    def announce(self, rows: pd.DataFrame, *, batch_id: str = "b1", **changes: Any) -> DataIngested:
        path = self.inbox / f"{batch_id}.parquet"
        rows.to_parquet(path, index=False)
        said_of_it: dict[str, Any] = {
            "batch_id": batch_id,
            "dataset": "videos.KR",
            "path": str(path),
            "rows": len(rows),
            "window": Window(first_day=FIRST, last_day=LAST),
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        return DataIngested(**(said_of_it | changes))

    def claim(self, batch: DataIngested) -> ClaimedAction:
        return claimed(self.store, self.clock, ActionKind.INGEST, batch.model_dump(mode="json"), target=batch.batch_id)

    def take_in(self, batch: DataIngested) -> Mapping[str, Any]:
        return self.ingest.run(self.claim(batch))

    def said(self) -> list[tuple[str, Mapping[str, Any]]]:
        return [(event.type, event.data) for event in said(self.store, "/airflow/ingest")]

    def ends(self) -> list[Mapping[str, Any]]:
        return [data for kind, data in self.said() if kind == "data_quality_issue" and data["kind"] == "incident_over"]


def week(**story: Any) -> pd.DataFrame:
    return simulate(FIRST, LAST, seed=5, **story)


def test_a_good_batch_reaches_silver_gold_and_the_outbox(bench: Bench):
    rows = week()
    result = bench.take_in(bench.announce(rows))
    assert result["outcome"] == "accepted"
    assert result["incident"] == "none"
    assert len(bench.lake.silver("videos.KR")) == len(rows) == result["rows"]
    features = bench.lake.gold("videos.KR", "video_features")
    assert len(features) == rows["video_id"].nunique()
    assert bench.lake.gold("videos.KR", "category_daily")["videos"].sum() == len(rows)
    [(kind, data)] = bench.said()
    assert kind == "data_processed"
    assert data == {
        "batch_id": "b1",
        "dataset": "videos.KR",
        "rows": len(rows),
        "quarantined": 0,
        "window": {"first_day": "2025-06-30", "last_day": "2025-07-06"},
    }


def test_the_same_batch_in_another_action_changes_nothing_and_says_nothing(bench: Bench):
    batch = bench.announce(week())
    bench.take_in(batch)
    silver, events = bench.lake.silver("videos.KR"), bench.said()
    assert bench.take_in(batch)["outcome"] == "repeated"
    pd.testing.assert_frame_equal(bench.lake.silver("videos.KR"), silver)
    assert bench.said() == events


def test_a_run_that_died_before_its_transaction_is_repeated_whole(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    batch = bench.announce(week())
    claim = bench.claim(batch)
    with monkeypatch.context() as patched:
        patched.setattr(CarryOut, "complete", _die)
        with pytest.raises(KeyboardInterrupt):
            bench.ingest.run(claim)
    assert bench.said() == []
    assert bench.ingest.run(claim)["outcome"] == "accepted"
    assert [kind for kind, _ in bench.said()] == ["data_processed"]
    assert len(bench.lake.silver("videos.KR")) == len(week())


def test_a_zombie_run_says_nothing(bench: Bench):
    claim = bench.claim(bench.announce(week()))
    with bench.store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute("UPDATE actions SET token = token + 1 WHERE id = %s", (claim.action.id,))
    with pytest.raises(Fenced):
        bench.ingest.run(claim)
    assert bench.said() == []
    with bench.store.transaction() as tx:
        assert tx.batches.get("videos.KR", "b1") is None


def _die(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        pytest.param(lambda path: path.unlink(), "missing_file", id="missing"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:5000]), "hash_mismatch", id="half-a-file"),
    ],
)
def test_a_file_that_is_not_the_announced_one_is_an_issue_and_no_crash(bench: Bench, spoil: Callable[[Path], object], kind: str):
    batch = bench.announce(week())
    body = Path(batch.path).read_bytes()
    spoil(Path(batch.path))
    result = bench.take_in(batch)
    assert (result["outcome"], result["issues"], result["incident"]) == ("rejected", [kind], "began")
    [(event, data)] = bench.said()
    assert (event, data["kind"], data["severity"]) == ("data_quality_issue", kind, "high")
    assert bench.lake.silver("videos.KR").empty

    Path(batch.path).write_bytes(body)  # repaired and announced again: the same batch is now taken in
    assert bench.take_in(batch)["outcome"] == "accepted"
    with bench.store.transaction() as tx:
        row = tx.batches.get("videos.KR", "b1")
    assert row is not None
    assert row.status == "accepted"
    assert any(issue["kind"] == "incident_over" for issue in row.issues)


def test_half_a_file_announced_as_it_is_an_issue_and_no_crash(bench: Bench):
    batch = bench.announce(week())
    half = Path(batch.path).read_bytes()[:5000]
    Path(batch.path).write_bytes(half)
    result = bench.take_in(batch.model_copy(update={"sha256": hashlib.sha256(half).hexdigest()}))
    assert (result["outcome"], result["issues"]) == ("rejected", ["unreadable"])


def test_another_schema_is_quarantined_whole(bench: Bench):
    strange = pd.DataFrame({"user": ["a", "b"], "rating": [1.0, 2.0]})
    result = bench.take_in(bench.announce(strange))
    assert result["outcome"] == "rejected"
    assert result["quarantined"] == 2
    [(event, data)] = bench.said()
    assert event == "data_quality_issue"
    assert data["severity"] == "high"
    assert bench.lake.silver("videos.KR").empty


def test_an_empty_batch_is_an_issue(bench: Bench):
    result = bench.take_in(bench.announce(week().head(0)))
    assert result["outcome"] == "rejected"
    assert "empty_batch" in result["issues"]
    assert [kind for kind, _ in bench.said()] == ["data_quality_issue"]


def test_an_unknown_dataset_is_an_issue(bench: Bench):
    assert bench.take_in(bench.announce(week(), dataset="films.KR"))["issues"] == ["unknown_dataset"]


def test_an_empty_day_is_named_and_the_others_are_taken_in(bench: Bench):
    rows = week(incidents=[Incident(date(2025, 7, 2), "empty_day")])
    result = bench.take_in(bench.announce(rows))
    assert result["outcome"] == "accepted"
    assert "empty_day" in result["issues"]
    assert [kind for kind, _ in bench.said()] == ["data_processed", "data_quality_issue"]
    assert dict(bench.said()[1][1])["severity"] == "low"


def test_half_a_days_counts_lost_is_an_incident_whose_rows_never_reach_silver(bench: Bench):
    rows = week(incidents=[Incident(date(2025, 7, 3), "counts_lost", 0.5)])
    lost = rows["view_count"].isna() & (rows["list_date"] == pd.Timestamp(2025, 7, 3))
    assert lost.sum() >= 15
    result = bench.take_in(bench.announce(rows))
    assert result["incident"] == "began"
    assert result["quarantined"] >= lost.sum()
    silver = bench.lake.silver("videos.KR", first_day=date(2025, 7, 3), last_day=date(2025, 7, 3))
    assert silver["view_count"].notna().all()
    assert not set(rows.loc[lost, "video_id"]) & set(silver["video_id"])
    issue = next(data for kind, data in bench.said() if kind == "data_quality_issue")
    assert issue["severity"] == "high"
    assert {"incident"} <= {finding["kind"] for finding in issue["findings"]}


def test_gold_has_no_first_listing_of_a_video_whose_first_row_was_lost(bench: Bench):
    bad = date(2025, 7, 3)
    rows, clean = week(incidents=[Incident(bad, "counts_lost", 0.5)]), week()
    bench.take_in(bench.announce(rows))
    first = rows.drop_duplicates("video_id")
    lost = set(first.loc[(first["list_date"] == pd.Timestamp(bad)) & first["view_count"].isna(), "video_id"])
    expected = DATASETS["videos.KR"].gold["video_features"].build(clean).set_index("video_id")
    found = bench.lake.gold("videos.KR", "video_features").set_index("video_id")
    assert lost
    assert not lost & set(found.index)
    pd.testing.assert_series_equal(found["age_hours"], expected["age_hours"].loc[found.index])
    assert set(bench.lake.gold("videos.KR", "category_daily")["list_date"]) == set(clean["list_date"])

    bench.take_in(bench.announce(clean))  # repaired
    assert set(bench.lake.gold("videos.KR", "video_features")["video_id"]) == set(expected.index)


def test_the_end_of_an_incident_is_recorded(bench: Bench):
    after = simulate(date(2025, 7, 7), date(2025, 7, 13), seed=6)
    bench.take_in(bench.announce(week(incidents=[Incident(date(2025, 7, 3), "counts_lost", 0.5)])))
    bench.clock.advance(timedelta(days=7))
    window = Window(first_day=date(2025, 7, 7), last_day=date(2025, 7, 13))
    result = bench.take_in(bench.announce(after, batch_id="b2", window=window))
    assert result["incident"] == "over"
    with bench.store.transaction() as tx:
        row = tx.batches.get("videos.KR", "b2")
    assert row is not None
    assert [issue["kind"] for issue in row.issues] == ["incident_over"]
    assert bench.take_in(bench.announce(after, batch_id="b2", window=window))["outcome"] == "repeated"
    [over] = bench.ends()
    assert (over["severity"], over["batch_id"], over["window"]) == ("low", "b2", {"first_day": str(FIRST), "last_day": str(LAST)})
    assert over["detail"] == "batch b2 is good again; bad: b1, of 2025-06-30 to 2025-07-06"


def test_an_incident_is_over_when_a_good_batch_has_followed_every_bad_one(bench: Bench):
    """Repairing an older batch while the newest is bad ends nothing, and a bad batch of old days is an incident like any other."""
    bench.clock.advance(timedelta(days=28))

    def take_in(week_number: int, *, good: bool, name: str | None = None) -> str:
        first = FIRST + timedelta(days=7 * week_number)
        rows = simulate(first, first + timedelta(days=6), seed=week_number, incidents=() if good else [Incident(first, "counts_lost", 0.6)])
        window = Window(first_day=first, last_day=first + timedelta(days=6))
        return str(bench.take_in(bench.announce(rows, batch_id=name or f"w{week_number}", window=window))["incident"])

    assert [take_in(0, good=True), take_in(1, good=False), take_in(2, good=False)] == ["none", "began", "goes_on"]
    assert [take_in(1, good=True), take_in(3, good=True)] == ["goes_on", "over"]
    assert [take_in(0, good=False, name="again"), take_in(4, good=True)] == ["began", "over"]
    assert [over["detail"].split("; ")[1] for over in bench.ends()] == ["bad: w2, of 2025-07-14 to 2025-07-20", "bad: again, of 2025-06-30 to 2025-07-06"]


def test_rows_of_days_that_were_not_announced_or_not_released_stay_out(bench: Bench):
    rows = simulate(FIRST - timedelta(days=2), LAST + timedelta(days=2), seed=5)
    result = bench.take_in(bench.announce(rows))
    assert result["outcome"] == "accepted"
    days = bench.lake.silver("videos.KR")["list_date"].dt.date
    assert (days.min(), days.max()) == (FIRST, LAST)
    assert "outside_window" in result["issues"]
    assert result["quarantined"] == len(rows) - result["rows"]

    early = bench.announce(week(), batch_id="b2")
    bench.clock.at = released_at(date(2025, 7, 4))
    claim = bench.claim(early)
    assert bench.ingest.run(claim)["rows"] == (week()["list_date"] <= pd.Timestamp(2025, 7, 4)).sum()


def test_a_wrong_number_of_rows_is_named(bench: Bench):
    batch = bench.announce(week()).model_copy(update={"rows": 9})
    assert "row_count" in bench.take_in(batch)["issues"]


def test_a_hostile_batch_id_stays_inside_the_lake(bench: Bench, tmp_path: Path):
    batch = bench.announce(week()).model_copy(update={"batch_id": "../../../escaped"})
    assert bench.take_in(batch)["outcome"] == "accepted"
    assert not list(tmp_path.parent.glob("escaped*"))


def test_a_late_batch_changes_what_came_after_it(bench: Bench):
    """Gold stays point in time: the first listing of a video moves to the earlier day once that day is known."""
    rows = week()
    middle = date(2025, 7, 3)
    later = rows[rows["list_date"] >= pd.Timestamp(middle)]
    earlier = rows[rows["list_date"] < pd.Timestamp(middle)]
    bench.take_in(bench.announce(later, batch_id="later", window=Window(first_day=middle, last_day=LAST)))
    bench.take_in(bench.announce(earlier, batch_id="earlier", window=Window(first_day=FIRST, last_day=date(2025, 7, 2))))
    expected = DATASETS["videos.KR"].gold["video_features"].build(bench.lake.silver("videos.KR"))
    key = ["list_date", "video_id"]
    found = bench.lake.gold("videos.KR", "video_features").sort_values(key, ignore_index=True)
    pd.testing.assert_frame_equal(found[list(expected.columns)], expected.sort_values(key, ignore_index=True), check_dtype=False)


@pytest.fixture
def bench(postgres_settings: Settings, tmp_path: Path) -> Bench:
    store = emptied(PostgresStore(postgres_settings.postgres.dsn.get_secret_value()))
    lake = DeltaLake(tmp_path / "lake", DATASETS)
    clock = FixedClock(released_at(LAST))
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    return Bench(store, lake, clock, Ingest(store, lake, CarryOut(store, clock), clock, DATASETS), inbox)
