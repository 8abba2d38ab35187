"""The performance check through calm weeks and the break of 2025-07-24, week by week as a replay plays them."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest

from evergreen.adapters.memory.registry import MemoryRegistry
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.contracts.actions import ActionKind
from evergreen.core.clock import FixedClock
from evergreen.core.release import released_at, week_batches
from evergreen.domains.videos.loaders import load_lists
from evergreen.domains.videos.simulator import simulate
from evergreen.domains.videos.spec import video_spec
from evergreen.ports.champions import DeploymentRow
from evergreen.services.candidates import Origin, new_version, version_row
from evergreen.services.carry_out import CarryOut
from evergreen.services.check_performance import CheckPerformance
from evergreen.services.row_losses import losses_on
from evergreen.services.training import feature_table, rows_between, train_candidate
from evergreen.settings import Settings, load_settings
from tests.support.claims import claimed, emptied, said
from tests.support.traffic import Asked, Told, record

pytestmark = pytest.mark.connected
SPEC = video_spec()
BREAK = date(2025, 7, 24)
FIRST, LAST = date(2025, 6, 16), date(2025, 7, 30)
SERVES = released_at(date(2025, 6, 15))
ACTION = UUID("00000000-0000-4000-8000-000000000001")


@pytest.fixture(scope="module")
def silver() -> pd.DataFrame:
    folder = load_settings().test_data / "youtube"
    if not folder.is_dir():
        return simulate(date(2025, 2, 23), LAST, break_on=BREAK)
    rows = load_lists(folder, "KR")
    return rows[rows["list_date"].between("2025-02-23", str(LAST))]


def _champion(store: PostgresStore, registry: MemoryRegistry, silver: pd.DataFrame) -> Any:
    candidate = train_candidate(SPEC, silver, SERVES)
    predictor = SPEC.predictor(candidate.fitted.estimators, candidate.fitted.card)
    origin = Origin(ACTION, "bootstrap", SERVES)
    row = version_row(registry.register(new_version(SPEC, candidate, origin, 1.0)), origin)
    held_out = losses_on(SPEC, predictor.predict(candidate.evaluation[list(SPEC.feature_names)]), candidate.evaluation)
    deployment = DeploymentRow(ACTION, SPEC.name, row.version, None, "promote", "preparing", 1, None, False, "test")
    with store.transaction() as tx:
        tx.versions.insert(row)
        tx.versions.judge(SPEC.name, row.version, "approved", {"judged_against": None, "baseline_errors": held_out.tolist()})
        tx.deployments.start(deployment)
        tx.champions.compare_and_set(SPEC.name, row.version, seen_epoch=0, deployment_id=deployment.id, since=SERVES)
        tx.deployments.flipped(deployment.id, [], SERVES)
        tx.deployments.confirmed(deployment.id)
    return predictor


def test_calm_weeks_say_nothing_and_the_first_week_of_the_break_does(postgres_settings: Settings, tmp_path: Path, silver: pd.DataFrame) -> None:
    store = emptied(PostgresStore(postgres_settings.postgres.dsn.get_secret_value()))
    clock, registry = FixedClock(SERVES), MemoryRegistry(tmp_path)
    predictor = _champion(store, registry, silver)
    table = feature_table(SPEC, silver, released_at(LAST))
    check = CheckPerformance(store, clock, CarryOut(store, clock), registry, lambda _: SPEC)
    results = {}
    for first, last in week_batches(FIRST, LAST, BREAK):
        rows = rows_between(SPEC, table, first, last)
        clock.at = released_at(last)
        predicted = predictor.predict(rows[list(SPEC.feature_names)])
        asked = [Asked(entity, clock.at, float(value)) for entity, value in zip(rows["video_id"], predicted, strict=True)]
        told = [Told(entity, clock.at, {}, float(views)) for entity, views in zip(rows["video_id"], rows[SPEC.target], strict=True)]
        record(store, SPEC.name, 1, asked, told)
        results[first] = check.run(claimed(store, clock, ActionKind.PERFORMANCE_CHECK, {}, model=SPEC.name, target=SPEC.name))
    events = said(store, "/airflow/performance_check")
    store.close()
    calm = [result["outcome"] for first, result in results.items() if first < BREAK]
    assert set(calm[1:]) == {"fine"}
    assert calm[0] in {"fine", "too_few_labels"}  # three days only
    assert results[BREAK]["outcome"] == "degraded"
    assert results[BREAK]["interval"][0] > 0.2
    (event,) = events
    assert event.data["performance_drop"] > 0.15  # critical by the policy's numbers
    assert event.data["n"] >= 200
    assert np.isfinite(event.data["interval"]).all()
    assert any(result["became_stable"] for result in results.values())
