"""Without outcomes: the check records an estimate, says that it is one, and asks for nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from evergreen.adapters.memory.registry import MemoryRegistry
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.cli.explain import told
from evergreen.cli.tables import report_text
from evergreen.core.clock import FixedClock
from evergreen.ports.explanations import ExplanationStore
from evergreen.services.explain_one import Explain
from evergreen.services.show_models import ShowModels
from evergreen.settings import Settings
from tests.integration.test_check_performance import GOOD, SINCE, SPEC, Bench, days, evening
from tests.support.claims import emptied
from tests.support.tiny import NAME
from tests.support.traffic import Asked, Told, record

pytestmark = pytest.mark.connected
CARD = {"baseline_expected": 0.1, "approved": True, "reference": "median", "n": 140, "gates": []}


@pytest.fixture
def bench(postgres_settings: Settings, tmp_path: Path) -> Iterator[Bench]:
    store = emptied(PostgresStore(postgres_settings.postgres.dsn.get_secret_value()))
    yield Bench(store, FixedClock(SINCE), MemoryRegistry(tmp_path))
    store.close()


def _served(bench: Bench) -> int:
    version = bench.version(GOOD)
    with bench.store.transaction() as tx:
        row = tx.versions.get(NAME, version)
        assert row is not None
        tx.versions.judge(NAME, version, "approved", {**(row.scorecard or {}), **CARD})
    bench.serve(version)
    return version


def _asked(bench: Bench, version: int, first: date, count: int, *, half: float, told: bool = False) -> None:
    times = [datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=10) for day in days(first, count)]
    asked = [Asked(f"{time}-{at}", time, 1.0, bounds=(1.0 - half, 1.0 + half)) for time in times for at in range(20)]
    record(bench.store, NAME, version, asked, [Told(row.entity, row.time, {"y": 1.05}) for row in asked] if told else [])


def test_without_outcomes_an_estimate_is_told_as_one(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    version = _served(bench)
    _asked(bench, version, date(2025, 2, 1), 10, half=0.2)
    result = bench.check(evening(date(2025, 2, 10)))
    assert result["outcome"] == "too_few_labels"
    said = result["estimated"]
    assert (said["kind"], said["n"], said["window"]) == ("estimated", 200, ["2025-02-01", "2025-02-10"])
    assert said["estimated"] == pytest.approx(2 * said["baseline"])
    assert bench.degraded() == []  # twice the error, and still no reason to act

    shown = ShowModels(bench.store, bench.registry, {NAME: SPEC}).report(f"{NAME}@{version}")
    assert shown["performance"] is None
    assert json.loads(json.dumps(shown["estimate"]))["kind"] == "estimated"
    report_text(shown)
    printed = " ".join(capsys.readouterr().out.split())
    assert f"estimated: error {said['estimated']:.4f}" in printed
    assert "estimated, not measured" in printed


def test_explain_tells_it_as_one(bench: Bench) -> None:
    version = _served(bench)
    _asked(bench, version, date(2025, 2, 1), 10, half=0.2)
    said = bench.check(evening(date(2025, 2, 10)))["estimated"]
    with bench.store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute("SELECT id FROM actions WHERE kind = 'performance_check'")
        [(action_id,)] = cursor.fetchall()
    found = Explain(cast("ExplanationStore", bench.store), lambda: [], "http://airflow").run(str(action_id))
    [fate] = found.actions
    assert fate.result is not None
    assert (fate.result["outcome"], fate.result["estimated"]["kind"]) == ("too_few_labels", "estimated")
    assert fate.results == []  # nothing was said to anybody
    lines = [line.strip() for line in told(found)]
    assert any(line.startswith(f"estimated: error {said['estimated']:.4f}, between") and "200 predictions of 2025-02-01 … 2025-02-10" in line for line in lines)
    assert any(line.startswith("estimated, not measured") for line in lines)


def test_one_estimate_for_a_day_however_often_it_is_looked_at(bench: Bench) -> None:
    version = _served(bench)
    _asked(bench, version, date(2025, 2, 1), 5, half=0.2)
    for _ in range(3):
        bench.clock.at = evening(date(2025, 2, 5))
        assert bench.use_case().look(NAME, bench.clock.at)["estimated"]["n"] == 100
    with bench.store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM performance_estimates")
        assert cursor.fetchone() == (1,)


def test_outcomes_that_come_take_its_place(bench: Bench) -> None:
    version = _served(bench)
    _asked(bench, version, date(2025, 2, 1), 5, half=0.2)
    assert "estimated" in bench.check(evening(date(2025, 2, 5)))
    _asked(bench, version, date(2025, 2, 6), 11, half=0.2, told=True)
    assert "estimated" not in bench.check(evening(date(2025, 2, 16)))
    shown = ShowModels(bench.store, bench.registry, {NAME: SPEC}).report(f"{NAME}@{version}")
    assert shown["estimate"] is None
    assert shown["performance"]["kind"] == "measured"
