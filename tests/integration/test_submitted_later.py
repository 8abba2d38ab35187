"""A submitted model and the days it says it has seen: it waits until newer rows suffice; who says too little is found out by the bake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression

from evergreen.contracts.actions import ActionKind, ActionStatus
from evergreen.core.release import released_at
from evergreen.core.state import State
from evergreen.services.check_performance import CheckPerformance
from evergreen.services.show_models import ShowModels
from evergreen.settings import Settings
from tests.support.claims import claimed, said
from tests.support.deciding import answer, asked
from tests.support.registry_bench import NOW, Bench, Logged, registry_bench
from tests.support.tiny import BREAK, FEATURES, PER_DAY, tiny_rows
from tests.support.traffic import Asked, Told, record

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.timeout(240)]
SEEN_TO = BREAK - timedelta(days=3)
"""Inside the evaluation window: two of its days, 40 rows, are newer."""
TREES = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"
NEXT_DAY = released_at(BREAK + timedelta(days=1))


@pytest.fixture
def bench(mlflow_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with registry_bench(mlflow_settings, tmp_path_factory.mktemp("later")) as made:
        yield made


def _honest() -> LinearRegression:
    rows = tiny_rows(57)
    return LinearRegression().fit(rows[list(FEATURES)], rows["y"])


def test_it_waits_for_fifty_rows_its_author_has_not_seen_and_those_judge_it(bench: Bench) -> None:
    name = bench.spec.name
    row = bench.submit(Logged(bench, _honest()).uri, SEEN_TO)
    words = f"waits for 50 rows of days after {SEEN_TO}, which its author may have seen; 40 are known; looks again on {NEXT_DAY:%Y-%m-%d}"
    assert (row.status, row.attempts, row.error) == (ActionStatus.PENDING, 0, words)
    assert row.action.due_at == NEXT_DAY + timedelta(hours=1)
    [waiting] = ShowModels(bench.store, bench.registry, {name: bench.spec}).overview()[0]["waiting"]
    assert (waiting["reason"], waiting["why"], waiting["due_at"]) == ("submitted", words, row.action.due_at.isoformat())
    assert bench.adopt(row.action.id).status is ActionStatus.PENDING  # not due

    bench.clock.at, bench.rows = row.action.due_at, tiny_rows(61)
    row = bench.adopt(row.action.id)
    assert row.status is ActionStatus.SUCCEEDED, row.error
    assert row.result is not None
    version = int(str(row.result["model_version"]).rpartition("@")[2])
    bench.evaluate(version)
    event = [event.data for event in said(bench.store, "/airflow/evaluate")][-1]
    gates = {gate["name"]: gate for gate in event["gates"]}
    assert (event["window"]["first_day"], event["n"]) == (str(SEEN_TO + timedelta(days=1)), 80)
    assert gates["held_out"]["passed"]
    assert event["rows_after_as_of"] == 0
    with bench.store.transaction() as tx:
        recorded = tx.versions.get(name, version)
        assert tx.actions.open_of(ActionKind.RETRAIN, name) == []
    assert recorded is not None
    assert recorded.trained_to == SEEN_TO


def test_rows_that_never_come_are_not_waited_for_for_ever(bench: Bench) -> None:
    row = bench.submit(Logged(bench, _honest()).uri, SEEN_TO)
    bench.clock.at = NOW + timedelta(days=40)
    row = bench.adopt(row.action.id)  # it looks at what was known when it came due, and once more at today
    assert (row.status, row.action.due_at) == (ActionStatus.PENDING, NOW + timedelta(days=41, hours=1))
    bench.clock.at = row.action.due_at
    row = bench.adopt(row.action.id)
    assert (row.status, row.attempts) == (ActionStatus.FAILED, 1)
    assert "40 rows came in 44 days after 2025-02-26, 50 judge it" in str(row.error)


def test_who_says_too_little_is_found_out_by_the_bake_and_rolled_back(bench: Bench) -> None:
    """It learned the window that judges it by heart."""
    name, rows = bench.spec.name, bench.rows.tail(7 * PER_DAY)
    bench.spec = replace(bench.spec, trusted_types=bench.spec.trusted_types | {TREES})
    with bench.store.transaction() as tx:
        tx.versions.mark_stable(name, 1)
    liar = by_heart(rows)
    row = bench.submit(Logged(bench, liar, (TREES, "numpy.dtype")).uri, BREAK - timedelta(days=20))
    assert row.result is not None, row.error
    version = int(str(row.result["model_version"]).rpartition("@")[2])
    judged = bench.evaluate(version)
    assert judged["approved"], judged  # nothing in the window tells
    bench.promote(version)

    served(bench, version, liar)
    bench.clock.at = NOW + timedelta(days=16)
    claim = claimed(bench.store, bench.clock, ActionKind.PERFORMANCE_CHECK, {}, model=name, target=name)
    found = CheckPerformance(bench.store, bench.clock, bench.carry_out, bench.registry, lambda _: bench.spec).run(claim)
    assert found["outcome"] == "degraded", found
    [degraded] = [event.data for event in said(bench.store, "/airflow/performance_check")]
    assert (degraded["model_version"], degraded["rollback_target"], degraded["rollback_helps"]) == (f"{name}@{version}", f"{name}@1", True)
    decided = answer(asked("model_performance_degraded", State(model=name, datasets=bench.spec.datasets), **degraded), ActionKind.ROLLBACK)
    assert decided.outcome.value == "accepted"
    assert decided.action is not None
    bench.roll_back(dict(decided.action.params))
    with bench.store.transaction() as tx:
        champion, bad = tx.champions.get(name), tx.versions.get(name, version)
    assert champion is not None
    assert bad is not None
    assert (champion.version, champion.epoch) == (1, 3)
    assert str(bad.quarantined).startswith("rolled back")


def by_heart(rows: pd.DataFrame) -> HistGradientBoostingRegressor:
    """Exact on these rows; between them it says nought."""
    seen = np.sort(rows["x"].to_numpy())
    widest = np.sort(np.argsort(np.diff(seen))[-100:])  # with the rows' own fewer values than the trees have bins
    between = pd.DataFrame({"x": (seen[widest] + seen[widest + 1]) / 2, "group": 0.0, "y": 0.0})
    known = pd.concat([rows, between], ignore_index=True)
    model = HistGradientBoostingRegressor(max_iter=50, learning_rate=1.0, min_samples_leaf=1, max_leaf_nodes=250, random_state=0)
    return model.fit(known[list(FEATURES)], known["y"])


def served(bench: Bench, version: int, model: HistGradientBoostingRegressor) -> None:
    """Two weeks of unseen rows, each with its outcome an hour later."""
    rows = tiny_rows(14, seed=9)
    predicted = model.predict(rows[list(FEATURES)])
    asked_for, outcomes = [], []
    for at, (row, value) in enumerate(zip(rows.to_dict("records"), predicted, strict=True)):
        time = NOW + timedelta(days=1 + at // PER_DAY)
        asked_for.append(Asked(f"new-{at}", time, float(value), {"x": row["x"], "group": row["group"]}))
        outcomes.append(Told(f"new-{at}", time + timedelta(hours=1), {"y": row["y"]}, row["y"]))
    record(bench.store, bench.spec.name, version, asked_for, outcomes)
