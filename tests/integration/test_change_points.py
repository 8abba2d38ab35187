"""Since when the world is another: which drift is written down, and that it is written once."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from evergreen.adapters.memory.registry import MemoryRegistry
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.contracts.actions import Action, ActionKind, Cause
from evergreen.core.clock import FixedClock
from evergreen.ports.versions import VersionRow
from evergreen.services.carry_out import CarryOut
from evergreen.services.model_work import ModelWork
from evergreen.services.retrain import Retrain
from tests.support.tiny import BREAK, NAME, FrameLake, tiny_rows, tiny_spec

pytestmark = pytest.mark.connected
NOW = datetime(2025, 3, 30, tzinfo=UTC)


def _serves(store: PostgresStore, version: int, trained_from: date) -> None:
    with store.transaction() as tx:
        seen = tx.champions.get(NAME)
        tx.versions.insert(VersionRow(NAME, version, None, "run", "memory:", "test", trained_from, date(2025, 3, 20), 400, NOW))
        tx.champions.compare_and_set(NAME, version, seen_epoch=0 if seen is None else seen.epoch, deployment_id=uuid4(), since=NOW)


def _drift(store: PostgresStore, version: int, first_day: date) -> Cause:
    cause = Cause(source="/airflow/drift_check", id=str(uuid4()), type="data_drift_detected")
    data = {"model_version": f"{NAME}@{version}", "window": {"first_day": str(first_day), "last_day": str(first_day)}}
    with store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events (source, id, type, subject, time, data, content_hash) VALUES (%s, %s, %s, 'x', now(), %s, 'x')",
            (cause.source, cause.id, cause.type, json.dumps(data)),
        )
    return cause


def _retrain(store: PostgresStore, folder: Path, *causes: Cause) -> list[date]:
    """The known changes after a retrain with these causes."""
    clock = FixedClock(NOW)
    carry_out = CarryOut(store, clock)
    action = Action(id=uuid4(), kind=ActionKind.RETRAIN, model=NAME, target=NAME, reason="data_drift_high", due_at=NOW, as_of=NOW, causes=causes)
    with store.transaction() as tx:
        tx.actions.insert(action, key=str(action.id), event_type="test", accepted_at=NOW)
    claim = carry_out.claim(ActionKind.RETRAIN, f"run-{action.id}", action.id)
    assert claim is not None
    work = ModelWork(store, clock, carry_out, MemoryRegistry(folder / str(action.id)), FrameLake(tiny_rows(88)), lambda _: tiny_spec())
    Retrain(work).run(claim)
    with store.transaction() as tx:
        return list(tx.change_points.days(NAME))


def test_the_first_drifted_window_of_the_serving_version_is_the_change(store: PostgresStore, tmp_path: Path) -> None:
    _serves(store, 101, date(2025, 1, 1))
    later, first, foreign = _drift(store, 101, date(2025, 3, 8)), _drift(store, 101, BREAK), _drift(store, 99, date(2025, 1, 5))
    assert _retrain(store, tmp_path, later, first, foreign) == [BREAK]


def test_it_is_written_once_per_version(store: PostgresStore, tmp_path: Path) -> None:
    _serves(store, 101, BREAK)
    _retrain(store, tmp_path, _drift(store, 101, date(2025, 3, 8)))
    assert _retrain(store, tmp_path, _drift(store, 101, date(2025, 3, 15))) == [date(2025, 3, 8)]


def test_drift_of_a_version_trained_across_a_known_change_is_no_new_one(store: PostgresStore, tmp_path: Path) -> None:
    _serves(store, 101, date(2025, 1, 1))
    _retrain(store, tmp_path, _drift(store, 101, BREAK))
    _serves(store, 102, date(2025, 1, 1))
    assert _retrain(store, tmp_path, _drift(store, 102, date(2025, 3, 8))) == [BREAK]


def test_drift_of_a_version_trained_after_the_change_is_another(store: PostgresStore, tmp_path: Path) -> None:
    _serves(store, 101, date(2025, 1, 1))
    _retrain(store, tmp_path, _drift(store, 101, BREAK))
    _serves(store, 102, BREAK)
    assert _retrain(store, tmp_path, _drift(store, 102, date(2025, 3, 20))) == [BREAK, date(2025, 3, 20)]


def test_a_retrain_without_drift_knows_no_change(store: PostgresStore, tmp_path: Path) -> None:
    assert _retrain(store, tmp_path) == []
