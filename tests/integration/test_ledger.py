"""The ledger of a short story: a first version, a retrain after the break, a bad one forced and rolled back, one refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evergreen.adapters.memory.registry import MemoryRegistry
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.cli.ledger import ledger_text
from evergreen.contracts.actions import ActionKind
from evergreen.core.clock import FixedClock
from evergreen.core.errors import Fenced
from evergreen.services.ledger import ShowLedger
from evergreen.settings import Settings
from tests.integration.test_check_performance import AFTER, GOOD, HOUR, ROWS, SINCE, SPEC, Bench, _predicted, days, evening
from tests.support.claims import claimed, emptied
from tests.support.tiny import BREAK, NAME

pytestmark = pytest.mark.connected
RETRAINED = BREAK + timedelta(days=10)
PROMISED = {"relative": -0.7, "relative_low": -0.75, "relative_high": -0.65}


@pytest.fixture
def bench(postgres_settings: Settings, tmp_path: Path) -> Iterator[Bench]:
    store = emptied(PostgresStore(postgres_settings.postgres.dsn.get_secret_value()))
    yield Bench(store, FixedClock(SINCE), MemoryRegistry(tmp_path))
    store.close()


def _at(day: date) -> datetime:
    return evening(day) - 12 * HOUR


def _version(bench: Bench, candidate: Any, status: str, cost: float) -> int:
    version = bench.version(candidate)
    with bench.store.transaction() as tx:
        row = tx.versions.get(NAME, version)
        assert row is not None
        card = {**(row.scorecard or {}), "gates": [{"name": "improvement", "passed": status == "approved", "numbers": PROMISED}]}
        tx.versions.judge(NAME, version, status, card)  # type: ignore[arg-type]
        with tx.connection.cursor() as cursor:
            cursor.execute("UPDATE model_versions SET cost_seconds = %s WHERE version = %s", (cost, version))
    return version


def _story(bench: Bench) -> list[date]:
    first, second = _version(bench, GOOD, "approved", 1.0), _version(bench, AFTER, "approved", 2.0)
    bad, refused = _version(bench, GOOD, "refused", 4.0), _version(bench, GOOD, "refused", 8.0)
    assert (first, second, bad, refused) == (1, 2, 3, 4)
    bench.serve(first)
    bench.traffic(first, GOOD, days(date(2025, 2, 1), 14))
    bench.check(evening(date(2025, 2, 14)))
    bench.serve(second, previous=first, since=_at(RETRAINED))
    baked = days(RETRAINED, 12)
    for at in range(12):
        bench.traffic(second, AFTER, baked[at : at + 1], shadow=(first, GOOD))
        bench.check(evening(baked[at]))
    forced = RETRAINED + timedelta(days=12)
    bench.serve(bad, previous=second, since=_at(forced), forced=True)
    bench.traffic(bad, GOOD, days(forced, 4), shadow=(second, AFTER))
    back = forced + timedelta(days=4)
    bench.serve(second, previous=bad, since=_at(back), kind="rollback")
    bench.traffic(second, AFTER, days(back, 3))
    bench.check(evening(back + timedelta(days=2)))
    return baked


def _shown(bench: Bench) -> dict[str, Any]:
    return ShowLedger(bench.store, {NAME: SPEC}).run(NAME, bench.clock.now())


def test_every_retrain_has_its_line(bench: Bench) -> None:
    _story(bench)
    found = _shown(bench)
    first, second, bad, refused = json.loads(json.dumps(found["entries"]))
    assert [one["outcome"] for one in (first, second, bad, refused)] == ["replaced", "serves, stable", "rolled back", "refused"]
    assert all(one["closed"] and one["cost_seconds"] > 0 for one in (first, second, bad))
    assert (refused["closed"], refused["rows"], refused["cost_seconds"]) == (None, 0, 8.0)
    assert (first["realised"], first["rows"]) == (None, 0)  # nothing served before it
    assert second["promised_interval"] == [-0.75, -0.65]
    assert second["realised_interval"][1] < -0.5
    assert second["avoided"] > 0 > bad["avoided"]
    assert bad["realised_interval"][0] > 1.0
    assert bad["rows"] == 80
    totals = found["totals"]
    with bench.store.transaction() as tx:
        [(model, gauge)] = tx.observations.figures(bench.clock.now()).ledger.items()
    assert (model, gauge.retrains, gauge.cost_seconds, gauge.closed) == (NAME, 4, 15.0, 3)
    assert gauge.realised == pytest.approx(totals["mean_realised"])
    assert gauge.avoided == pytest.approx(totals["avoided"])
    assert (totals["retrains"], totals["served"], totals["refused"], totals["rolled_back"]) == (4, 3, 1, 1)
    assert totals["cost_seconds"] == 15.0
    assert totals["avoided"] == pytest.approx(second["avoided"] + bad["avoided"])
    assert totals["mean_realised"] == pytest.approx((second["realised"] + bad["realised"]) / 2)


def test_realised_is_the_comparison_over_all_rows_of_the_bake(bench: Bench) -> None:
    """Counted anew from the rows: those of the days until it was stable, each once, not those of overlapping windows."""
    baked = _story(bench)
    second = _shown(bench)["entries"][1]
    with bench.store.transaction() as tx:
        stable = next(row.stable_from for row in tx.deployments.history(NAME) if row.version == 2 and row.kind == "promote")
    assert stable is not None
    rows = ROWS[ROWS["day"].dt.date.isin([day for day in baked if _at(day) < stable])]
    ours, theirs = (float(np.abs(_predicted(one, rows) - rows["y"]).mean()) for one in (AFTER, GOOD))
    assert second["rows"] == len(rows) >= 200
    assert second["realised"] == pytest.approx(ours / theirs - 1.0)
    assert second["avoided"] == pytest.approx((theirs - ours) * len(rows))
    assert second["realised_interval"][0] < second["realised"] < second["realised_interval"][1]


def test_what_goes_on_is_measured_so_far_and_closed_once(bench: Bench, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    first, second = _version(bench, GOOD, "approved", 1.0), _version(bench, AFTER, "approved", 2.0)
    bench.serve(first)
    bench.serve(second, previous=first, since=_at(RETRAINED))
    bench.traffic(second, AFTER, days(RETRAINED, 4), shadow=(first, GOOD))
    bench.check(evening(RETRAINED + timedelta(days=3)))
    entry = _shown(bench)["entries"][1]
    assert (entry["outcome"], entry["closed"], entry["rows"]) == ("serves, not stable yet", None, 80)
    ledger_text(_shown(bench))
    assert "so far" in capsys.readouterr().out
    bench.traffic(second, AFTER, days(RETRAINED + timedelta(days=4), 8), shadow=(first, GOOD))
    bench.check(evening(RETRAINED + timedelta(days=11)))
    closed = _shown(bench)["entries"][1]
    assert closed["closed"] is not None
    bench.traffic(second, AFTER, days(RETRAINED + timedelta(days=12), 4), shadow=(first, GOOD))
    bench.check(evening(RETRAINED + timedelta(days=15)))
    assert _shown(bench)["entries"][1] == closed


def test_a_check_that_lost_its_lease_closes_nothing_and_the_next_one_does(bench: Bench) -> None:
    first = _version(bench, GOOD, "approved", 1.0)
    bench.serve(first)
    bench.serve(_version(bench, GOOD, "approved", 1.0), previous=first, since=SINCE + HOUR)
    bench.clock.at = evening(date(2025, 2, 2))
    claim = claimed(bench.store, bench.clock, ActionKind.PERFORMANCE_CHECK, {}, model=NAME, target=NAME)
    with pytest.raises(Fenced):
        bench.use_case().run(replace(claim, lease=replace(claim.lease, token=claim.lease.token + 1)))
    assert _shown(bench)["entries"][0]["closed"] is None
    bench.use_case().run(claim)
    closed = _shown(bench)["entries"][0]["closed"]
    assert closed is not None
    bench.use_case().look(NAME, evening(date(2025, 2, 9)))
    assert _shown(bench)["entries"][0]["closed"] == closed
