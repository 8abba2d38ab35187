"""From a trigger form to the action a person asked for."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from evergreen.contracts.actions import DAG_KINDS, ActionKind
from evergreen.contracts.events import DataIngested, Window
from evergreen.core.errors import DataRejected
from evergreen.orchestration.by_hand import IncompleteForm, Wish, read_form

MODEL = "video_performance"


@pytest.mark.parametrize(
    ("kind", "form", "wish"),
    [
        pytest.param(ActionKind.RETRAIN, {"model": MODEL}, Wish(MODEL, MODEL), id="retrain"),
        pytest.param(ActionKind.PERFORMANCE_CHECK, {"model": MODEL}, Wish(MODEL, MODEL), id="performance-check"),
        pytest.param(ActionKind.EVALUATE, {"model": MODEL, "version": 3}, Wish(MODEL, f"{MODEL}@3"), id="evaluate"),
        pytest.param(ActionKind.PROMOTE, {"model": MODEL, "version": 3, "force": False}, Wish(MODEL, f"{MODEL}@3"), id="promote"),
        pytest.param(ActionKind.PROMOTE, {"model": MODEL, "version": 3, "force": True}, Wish(MODEL, f"{MODEL}@3", {"forced": True}), id="promote-by-force"),
        pytest.param(ActionKind.ROLLBACK, {"model": MODEL}, Wish(MODEL, MODEL, {"from_version": None, "to_version": None}), id="rollback"),
        pytest.param(
            ActionKind.ROLLBACK, {"model": MODEL, "to_version": 2}, Wish(MODEL, MODEL, {"from_version": None, "to_version": f"{MODEL}@2"}), id="rollback-to"
        ),
        pytest.param(
            ActionKind.ROLLBACK,
            {"model": MODEL, "to_version": 2, "force": True},
            Wish(MODEL, MODEL, {"from_version": None, "to_version": f"{MODEL}@2", "forced": True}),
            id="rollback-by-force",
        ),
        pytest.param(ActionKind.MAINTENANCE, {}, Wish("-", "-"), id="maintenance"),
        pytest.param(
            ActionKind.DRIFT_CHECK,
            {"model": MODEL, "dataset": "videos.KR", "first_day": "2025-07-24", "last_day": "2025-07-30"},
            Wish(MODEL, MODEL, {"dataset": "videos.KR", "windows": [{"first_day": "2025-07-24", "last_day": "2025-07-30"}]}),
            id="drift-check",
        ),
    ],
)
def test_a_form_says_what_to_do(kind: ActionKind, form: dict[str, Any], wish: Wish) -> None:
    assert read_form(kind, {**form, "reason": " because "}) == Wish(wish.model, wish.target, {**wish.params, "reason": "because"})


@pytest.mark.parametrize("kind", DAG_KINDS)
@pytest.mark.parametrize("reason", ["", "  ", None])
def test_nothing_runs_without_a_reason(kind: ActionKind, reason: str | None) -> None:
    with pytest.raises(IncompleteForm, match="reason is required"):
        read_form(kind, {"model": MODEL, "version": 1, "reason": reason})


@pytest.mark.parametrize(
    ("kind", "form", "named"),
    [
        pytest.param(ActionKind.EVALUATE, {"model": MODEL, "version": None}, "version is required", id="no-version"),
        pytest.param(ActionKind.PROMOTE, {"model": MODEL, "version": "three"}, "version must be a version number", id="version-in-words"),
        pytest.param(ActionKind.RETRAIN, {}, "model is required", id="no-model"),
        pytest.param(ActionKind.DRIFT_CHECK, {"model": MODEL, "first_day": "24.7."}, "first_day must be a day", id="no-iso-day"),
        pytest.param(ActionKind.DRIFT_CHECK, {"model": MODEL, "first_day": "0001-01-01", "last_day": "2025-07-23"}, "years 1970 to 9998", id="no-such-lists"),
        pytest.param(ActionKind.INGEST, {"path": ""}, "path is required", id="no-path"),
    ],
)
def test_what_is_missing_is_named(kind: ActionKind, form: dict[str, Any], named: str) -> None:
    with pytest.raises(IncompleteForm, match=named):
        read_form(kind, {**form, "reason": "because"})


def test_a_batch_file_is_announced_whole(tmp_path: Path) -> None:
    path = tmp_path / "lists.parquet"
    pd.DataFrame({"video_id": ["a", "b"]}).to_parquet(path)
    wish = read_form(ActionKind.INGEST, _batch(path))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    window = Window(first_day=date(2025, 7, 24), last_day=date(2025, 7, 30))
    batch = DataIngested(batch_id=f"lists.{sha256[:8]}", dataset="videos.KR", path=str(path), rows=2, window=window, sha256=sha256)
    assert wish == Wish("-", batch.batch_id, {**batch.model_dump(mode="json"), "reason": "because"})


def test_half_a_batch_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "lists.parquet"
    path.write_bytes(b"PAR1 cut short")
    with pytest.raises(DataRejected, match=r"lists\.parquet is not a whole Parquet file"):
        read_form(ActionKind.INGEST, _batch(path))


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataRejected, match=r"there is no file .*lists\.parquet"):
        read_form(ActionKind.INGEST, _batch(tmp_path / "lists.parquet"))


def _batch(path: Path) -> dict[str, str]:
    return {"path": str(path), "dataset": "videos.KR", "first_day": "2025-07-24", "last_day": "2025-07-30", "reason": "because"}
