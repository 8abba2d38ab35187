"""Quality of what was taken in, and reports that are not as today's code writes them, on real Postgres."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.adapters.drift_records import PostgresDriftRecords
from evergreen.adapters.evidently_report import EvidentlyReports
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.contracts.api_drift import DriftHeat, DriftPage, DriftReportSaid, Quality
from evergreen.core.errors import NotFound
from evergreen.services.show_drift import MOST_FEATURES, ShowDrift
from evergreen.settings import Settings
from tests.support.claims import emptied
from tests.support.sql import run

pytestmark = [pytest.mark.anyio, pytest.mark.connected]
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Bench:
    store: PostgresStore
    drift: ShowDrift
    folder: Path

    def took(self, dataset: str, day: int, *, quarantined: int = 0, incident: bool = False, status: str = "accepted", issues: Any = ()) -> None:
        run(
            self.store,
            """INSERT INTO batches (dataset, batch_id, sha256, first_day, last_day, rows, quarantined, issues, bronze_path, status, incident, ingested_time)
               VALUES (%s, %s, 'x', %s, %s, 100, %s, %s, 'p', %s, %s, %s)""",
            (dataset, f"b{day}", date(2026, 1, day), date(2026, 1, day), quarantined, json.dumps(list(issues)), status, incident, date(2026, 1, day)),
        )

    def reported(self, features: int, *, day: int = 1, url: str | None = None, score: float = 0.5) -> UUID:
        found = uuid4()
        one = {"kind": "distribution", "statistic": 0.3, "threshold": 0.25, "drifted": True, "direction": HOSTILE, "test": "ks", "p_value": 0.0}
        one |= {"q_value": 0.0, "weight": 0.1, "n_reference": 10, "n_current": 10, "findings": [], "method": "jensen_shannon"}
        results = [{**one, "feature": f"f{at}", "score": at / features} for at in range(features)]
        side = {"first_day": "2026-01-01", "last_day": "2026-01-07", "n": 10}
        body = {"results": results, "losses": [], "prediction": None, "reference": side, "current": side, "notes": []}
        run(
            self.store,
            """INSERT INTO drift_reports (id, model, version, first_day, last_day, n, score, drifted, features, time, report_url)
               VALUES (%s, 'm', 1, %s, %s, 10, %s, true, %s, now(), %s)""",
            (str(found), date(2026, 1, day), date(2026, 1, day), score, json.dumps(body), url),
        )
        return found


@pytest.fixture
async def bench(postgres_settings: Settings, tmp_path: Path) -> AsyncIterator[Bench]:
    dsn = postgres_settings.postgres.dsn.get_secret_value()
    postgres = AsyncPostgres(dsn)
    found = Bench(emptied(PostgresStore(dsn)), ShowDrift(PostgresDriftRecords(postgres), EvidentlyReports(tmp_path, tmp_path), {}), tmp_path)
    yield found
    await postgres.close()
    found.store.close()


async def test_what_was_set_aside_is_counted_per_dataset_and_told_per_batch(bench: Bench) -> None:
    issue = {"kind": "duplicate", "column": None, "count": 30, "share": 0.3, "detail": HOSTILE}
    bench.took("videos.KR", 1)
    bench.took("videos.KR", 2, quarantined=30, incident=True, issues=[issue])
    bench.took("movies", 3, status="rejected")
    found = Quality(**await bench.drift.quality(None, 100))
    assert [(one.dataset, one.batches, one.rows, one.quarantined, one.flagged, one.incidents, one.rejected) for one in found.datasets] == [
        ("movies", 1, 100, 0, 0, 0, 1),
        ("videos.KR", 2, 200, 30, 1, 1, 0),
    ]
    assert [one.batch_id for one in found.batches] == ["b3", "b2", "b1"]
    assert found.batches[1].issues == [issue]
    assert [one.batch_id for one in Quality(**await bench.drift.quality("videos.KR", 1)).batches] == ["b2"]


async def test_an_older_report_is_shown_without_its_distributions(bench: Bench) -> None:
    report = bench.reported(2)
    found = DriftReportSaid(**await bench.drift.report(report))
    assert (found.picture, found.distributions, found.features[0].direction) == ("none", False, HOSTILE)
    with pytest.raises(NotFound, match="not kept"):
        await bench.drift.distribution(report, "f0")
    for missing in (bench.drift.report, bench.drift.picture):
        with pytest.raises(NotFound):
            await missing(uuid4())


async def test_a_picture_is_there_once_it_is_made(bench: Bench) -> None:
    report = bench.reported(1, url="file:///somewhere")
    assert DriftReportSaid(**await bench.drift.report(report)).picture == "expected"
    (bench.folder / f"{report}.html").write_text("<html>", encoding="utf-8")
    assert DriftReportSaid(**await bench.drift.report(report)).picture == "made"
    assert await bench.drift.picture(report) == b"<html>"


async def test_a_wide_model_is_cut_to_the_features_that_moved_most(bench: Bench) -> None:
    bench.reported(MOST_FEATURES + 5)
    bench.reported(3, day=2)
    heat = DriftHeat(**await bench.drift.heat("m", 26))
    assert (len(heat.features), heat.left_off) == (MOST_FEATURES, 5)
    assert heat.features[0].name == f"f{MOST_FEATURES + 4}"
    assert heat.features[0].cells[1] is None
    page = DriftPage(**await bench.drift.timeline(None, 1))
    assert [str(one.last_day) for one in page.reports] == ["2026-01-02"]
    assert (await bench.drift.timeline("nobody", 10)) == {"reports": []}
