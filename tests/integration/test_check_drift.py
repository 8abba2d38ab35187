"""The drift check against real Postgres and Delta tables: calm weeks, the break, repeats, windows that may not be looked at, a lost model."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pandas as pd
import pytest

from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.adapters.drift_records import PostgresDriftRecords
from evergreen.adapters.evidently_report import EvidentlyReports
from evergreen.adapters.memory.lake import MemoryLake
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.contracts.actions import ActionKind
from evergreen.contracts.api_drift import Distributions, DriftHeat, DriftPage, DriftReportSaid
from evergreen.contracts.envelope import Event, encode
from evergreen.contracts.events import DataDriftDetected
from evergreen.core.clock import FixedClock, wall_now
from evergreen.core.errors import Unavailable
from evergreen.core.release import released_at, week_batches
from evergreen.domains.videos.dataset import video_dataset
from evergreen.domains.videos.loaders import load_lists
from evergreen.domains.videos.simulator import simulate
from evergreen.domains.videos.spec import video_spec
from evergreen.ports.messaging import Received
from evergreen.ports.model import ModelSpec
from evergreen.ports.registry import LoadedVersion
from evergreen.ports.versions import VersionRow
from evergreen.services.carry_out import CarryOut
from evergreen.services.check_drift import CheckDrift
from evergreen.services.drift_evidence import DriftEvidence
from evergreen.services.show_drift import ShowDrift
from evergreen.services.show_spread import CategoryName
from evergreen.settings import Settings, load_settings
from tests.support.claims import claimed, emptied, said

pytestmark = pytest.mark.connected
HISTORY, TRAINED_TO, BREAK, END = date(2025, 2, 23), date(2025, 6, 15), date(2025, 7, 24), date(2025, 7, 30)
SPEC = video_spec("KR")
DATASETS = {"videos.KR": video_dataset("KR")}


def _lists() -> tuple[str, pd.DataFrame]:
    """Korea's lists where they are there, else the simulator's."""
    real = load_settings(with_stack=False).test_data / "youtube" / "trending_KR_2025-02_2026-02.parquet"
    if not real.is_file():
        return "simulated", simulate(HISTORY, END, seed=1, break_on=BREAK)
    rows = load_lists(real, "KR")
    return "real", rows[rows["list_date"] <= pd.Timestamp(END)]


@dataclass
class Attached:
    """Stands in for the registry's one call the evidence makes."""

    bodies: dict[str, bytes]

    def attach(self, run_id: str, name: str, body: bytes, content_type: str) -> None:
        assert (run_id, content_type) == ("run-1", "text/html")
        self.bodies[name] = body


@dataclass
class Bench:
    store: PostgresStore
    lake: MemoryLake
    clock: FixedClock
    loaded: LoadedVersion
    pictures: EvidentlyReports
    lost: bool = False

    def load(self, spec: ModelSpec, version: int) -> LoadedVersion:
        if self.lost:
            raise Unavailable("MLflow does not answer")
        assert (spec.name, version) == ("video_performance", 1)
        return self.loaded

    def check(self, *windows: tuple[date, date]) -> Mapping[str, Any]:
        service = CheckDrift(self.store, self.clock, CarryOut(self.store, self.clock), self.lake, lambda _: SPEC, self.load, self.pictures)
        params = {"dataset": "videos.KR", "windows": [{"first_day": str(first), "last_day": str(last)} for first, last in windows]}
        return service.run(claimed(self.store, self.clock, ActionKind.DRIFT_CHECK, params, model=SPEC.name, target=SPEC.name))

    def said(self) -> list[DataDriftDetected]:
        return [DataDriftDetected.model_validate(event.data) for event in said(self.store, "/airflow/drift_check")]

    def crown(self, trained_to: date = TRAINED_TO) -> None:
        row = VersionRow("video_performance", 1, None, "run-1", "uri", "bootstrap", HISTORY, trained_to, 1500, self.clock.now())
        with self.store.transaction() as tx, tx.connection.cursor() as cursor:
            tx.versions.insert(row)
            cursor.execute(
                "INSERT INTO champions (model, version, epoch, deployment_id, since) VALUES ('video_performance', 1, 1, gen_random_uuid(), %s)",
                (self.clock.now(),),
            )


WEEKS = week_batches(date(2025, 6, 16), END, BREAK)
BROKEN = WEEKS[-1]


def test_without_a_champion_it_says_so_and_nothing_else(bench: Bench):
    assert bench.check(BROKEN) == {"outcome": "no_champion"}
    assert bench.said() == []


def test_every_calm_week_is_calm_and_the_break_is_found_in_its_first_window(bench: Bench):
    bench.crown()
    for window in WEEKS[:-1]:
        result = bench.check(window)
        assert result["outcome"] == "calm", result
    assert bench.said() == []
    result = bench.check(BROKEN)
    assert result["outcome"] == "drifted"
    [event] = bench.said()
    assert event.model_version == "video_performance@1"
    assert (event.window.first_day, event.window.last_day) == BROKEN
    assert event.severity == "medium"
    assert 0.3 < event.drift_score <= 1.0
    assert {"category_id", "age_hours"} <= {feature.name for feature in event.affected_features}
    assert len(event.affected_features) > 3
    assert all(feature.q_value < 0.01 <= 0.25 <= feature.effect for feature in event.affected_features)
    assert event.n == result["reports"][0]["n"]


def test_a_window_is_reported_once_whoever_asks(bench: Bench):
    bench.crown()
    first, again = bench.check(BROKEN), bench.check(BROKEN)
    assert first["outcome"] == "drifted"
    assert again["outcome"] == "calm"
    assert again["reports"][0]["reported_before"]
    assert len(bench.said()) == 1


def test_merged_windows_are_reported_each_in_order(bench: Bench):
    bench.crown()
    result = bench.check(BROKEN, WEEKS[2], BROKEN, WEEKS[1])
    assert [report["window"] for report in result["reports"]] == [f"{first}..{last}" for first, last in (WEEKS[1], WEEKS[2], BROKEN)]
    assert len(bench.said()) == 1


def test_nothing_that_is_not_released_or_was_trained_on_is_looked_at(bench: Bench):
    bench.crown(trained_to=date(2025, 6, 25))
    bench.clock.at = released_at(date(2025, 7, 2)) - timedelta(minutes=1)
    result = bench.check((date(2025, 6, 19), date(2025, 6, 25)), (date(2025, 6, 26), date(2025, 7, 2)))
    assert result["outcome"] == "nothing_to_check"
    assert result["skipped"] == {"2025-06-19..2025-06-25": "in_training", "2025-06-26..2025-07-02": "not_released"}


def test_later_days_change_no_report(bench: Bench):
    """The same window, checked when it was new and a month after: the same numbers."""
    bench.crown()
    window = WEEKS[2]
    bench.clock.at = released_at(window[1])
    then = bench.check(window)["reports"][0]
    with bench.store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute("DELETE FROM drift_reports")
    bench.clock.at = released_at(END)
    assert bench.check(window)["reports"][0] == then


def test_a_single_day_is_looked_at_with_the_week_before_it(bench: Bench):
    bench.crown()
    sunday = date(2025, 7, 6)
    result = bench.check((sunday, sunday))
    assert result["outcome"] == "calm"
    with bench.store.transaction() as tx:
        report = tx.drift_reports.get(UUID(result["reports"][0]["report_id"]))
    assert report is not None
    assert (report.first_day, report.last_day) == (sunday, sunday)
    assert report.features["current"]["first_day"] == "2025-06-30"
    assert report.n > 60


def test_what_was_compared_can_be_looked_at(bench: Bench, postgres_settings: Settings):
    """As serving shows it: the timeline, the heat map, a report, and both distributions of a feature."""
    bench.crown()
    for window in WEEKS:
        bench.check(window)

    async def looked() -> tuple[DriftPage, DriftHeat, DriftReportSaid, Distributions, Distributions, Distributions]:
        postgres = AsyncPostgres(postgres_settings.postgres.dsn.get_secret_value())
        shown = ShowDrift(PostgresDriftRecords(postgres), bench.pictures, {"category_id": {20: CategoryName("게임", "Gaming")}})
        try:
            page = DriftPage(**await shown.timeline(SPEC.name, 400))
            report = page.reports[0].id
            of = [Distributions(**await shown.distribution(report, name)) for name in ("category_id", "age_hours", "prediction")]
            return page, DriftHeat(**await shown.heat(SPEC.name, 26)), DriftReportSaid(**await shown.report(report)), of[0], of[1], of[2]
        finally:
            await postgres.close()

    page, heat, report, categories, ages, said_of = asyncio.run(looked())
    assert [one.drifted for one in page.reports] == [True, *[False] * (len(WEEKS) - 1)]
    assert {"category_id", "age_hours"} <= set(page.reports[0].affected)
    assert [one.last_day for one in heat.windows] == [last for _, last in WEEKS]
    assert all(len(row.cells) == len(WEEKS) for row in heat.features)
    assert heat.features[0].cells[-1] is not None
    assert heat.features[0].cells[-1].drifted
    assert {one.feature for one in report.features} == set(SPEC.drift_features)
    assert (report.picture, report.distributions) == ("expected", True)
    for found in (categories, ages, said_of):
        assert sum(bar.reference for bar in found.bars) == pytest.approx(1)
        assert sum(bar.current for bar in found.bars) == pytest.approx(1)
    gaming = next(bar for bar in categories.bars if bar.label == "20")
    assert gaming.name_en == "Gaming"
    assert gaming.current > gaming.reference
    assert ages.numeric
    assert [step.reference for step in ages.curve] == sorted(step.reference for step in ages.curve)
    assert categories.n_current == page.reports[0].n


def test_a_model_that_cannot_be_loaded_hides_no_drift(bench: Bench):
    bench.crown()
    bench.lost = True
    result = bench.check(BROKEN)
    assert result["outcome"] == "drifted"
    with bench.store.transaction() as tx:
        report = tx.drift_reports.get(UUID(result["reports"][0]["report_id"]))
    assert report is not None
    assert "MLflow does not answer" in report.features["notes"][0]
    weights = {one["feature"]: one["weight"] for one in report.features["results"]}
    assert set(weights) == set(SPEC.drift_features)
    assert len(set(weights.values())) == 1


@pytest.mark.slow
def test_the_picture_is_made_afterwards_once_and_linked(bench: Bench):
    bench.crown()
    bench.check(WEEKS[2])
    result = bench.check(BROKEN)
    [event] = bench.said()
    assert event.report_url is not None
    assert not bench.pictures.exists(UUID(result["reports"][0]["report_id"]))
    attached = Attached({})
    evidence = DriftEvidence(bench.store, bench.lake, attached, bench.pictures, lambda _: SPEC)  # type: ignore[arg-type]
    messages = [told(event) for event in said(bench.store, "/airflow/drift_check")]
    evidence.of_messages(messages)
    body = Path(event.report_url.removeprefix("file://")).read_bytes()
    assert b"category_id" in body
    assert attached.bodies == {f"drift/{BROKEN[0]}_{BROKEN[1]}.html": body}
    attached.bodies.clear()
    evidence.of_messages([*messages, told(None)])
    assert attached.bodies == {}


def told(event: Event | None) -> Received:
    return Received("data.drift.detected", 0, 0, None, b"not an event" if event is None else encode(event), (), wall_now())


def test_a_picture_that_takes_too_long_is_given_up(tmp_path: Path):
    slow = EvidentlyReports(tmp_path, tmp_path, timeout_seconds=0.05)
    rows = pd.DataFrame({"x": [1.0, 2.0]})
    with pytest.raises(Unavailable, match="not made within"):
        slow.make(UUID(int=1), rows, rows, categorical=(), title="")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def material() -> tuple[pd.DataFrame, LoadedVersion]:
    """Lists, and a model trained on their calm history."""
    _, rows = _lists()
    table = SPEC.build_features(rows[rows["list_date"] <= pd.Timestamp(TRAINED_TO)])
    fitted = SPEC.fit(table, 0)
    return rows.drop(columns="load_error"), LoadedVersion(SPEC.predictor(fitted.estimators, fitted.card), fitted.card, None, 0)


@pytest.fixture
def bench(postgres_settings: Settings, material: tuple[pd.DataFrame, LoadedVersion], tmp_path: Path) -> Iterator[Bench]:
    rows, loaded = material
    store = emptied(PostgresStore(postgres_settings.postgres.dsn.get_secret_value()))
    lake = MemoryLake(DATASETS)
    lake.merge_silver("videos.KR", rows)
    yield Bench(store, lake, FixedClock(released_at(END)), loaded, EvidentlyReports(tmp_path / "reports", tmp_path))
    store.close()
