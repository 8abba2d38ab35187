"""Whatever happens to a gate (it raises, finds no number, no data, too little, its process is killed) the candidate is refused by that gate with
a reason, in the event, on the version and in the registry, and the champion stays. Only a part that is away refuses nothing."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evergreen.adapters import artifact_probe, limited_child
from evergreen.contracts.actions import ActionKind, ActionStatus
from evergreen.core.errors import ArtifactRefused, Unavailable
from evergreen.core.served_form import ExperimentOutcome
from evergreen.ports.model import Chances, Rows
from evergreen.ports.registry import GoldenRows, LoadedVersion
from evergreen.ports.storage import MAX_ATTEMPTS
from evergreen.services.carry_out import CarryOut
from evergreen.settings import Settings
from tests.support.claims import said
from tests.support.gates_bench import ROWS, Asked, Bench, Spoil, chances, gates_bench
from tests.support.tiny import BREAK, NAME, FrameLake, TinyPredictor

pytestmark = pytest.mark.connected


@pytest.fixture
def bench(postgres_settings: Settings, tmp_path: Path) -> Iterator[Bench]:
    with gates_bench(postgres_settings, tmp_path) as made:
        yield made


def _raises(*_: Any, **__: Any) -> Any:
    raise ZeroDivisionError("division by zero")


def _predicts(spoil: Spoil, *, only: str = "predict") -> Callable[[Bench], None]:
    """Version 2's predictor with one method spoilt."""

    def apply(bench: Bench) -> None:
        def loads(loaded: LoadedVersion) -> LoadedVersion:
            honest = loaded.predictor
            spoilt = TinyPredictor(honest.__dict__ and {"primary": honest._model}, {"width": honest._width})  # type: ignore[attr-defined]
            setattr(spoilt, only, lambda *given: spoil(getattr(honest, only)(*given)))
            return replace(loaded, predictor=spoilt)

        bench.registry.loads = loads

    return apply


def _loads(**change: Any) -> Callable[[Bench], None]:
    return lambda bench: setattr(bench.registry, "loads", lambda loaded: replace(loaded, **change))


def _gates(**change: Any) -> Callable[[Bench], None]:
    return lambda bench: setattr(bench, "spec", replace(bench.spec, gates=replace(bench.spec.gates, **change)))


def _spec(**change: Any) -> Callable[[Bench], None]:
    return lambda bench: setattr(bench, "spec", replace(bench.spec, **change))


def _registry(**change: Spoil) -> Callable[[Bench], None]:
    return lambda bench: bench.registry.__dict__.update(change)


def _lake(keep: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Bench], None]:
    return lambda bench: setattr(bench, "lake", FrameLake(keep(ROWS)))


def _found(outcome: Callable[[str, int], ExperimentOutcome | None]) -> Callable[[Bench], None]:
    return lambda bench: setattr(bench, "experiments", Asked(outcome))


def _quarantined(bench: Bench) -> None:
    with bench.store.transaction() as tx:
        tx.versions.quarantine(NAME, 2, "rolled back: 12 % worse")


def _changed(bench: Bench) -> None:
    bench.registry.spoil(NAME, 2)


def _trained_on_the_window(bench: Bench) -> None:
    with bench.store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute("UPDATE model_versions SET trained_to = %s WHERE version = 2", (BREAK + timedelta(days=24),))


def _trained_shorter(spoil: Spoil) -> Callable[[Bench], None]:
    """So that its baseline goes further back than the evaluation window: 200 rows instead of 140."""

    def apply(bench: Bench) -> None:
        with bench.store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute("UPDATE model_versions SET trained_to = %s WHERE version = 2", (BREAK + timedelta(days=10),))
        _predicts(spoil)(bench)

    return apply


def _nan_for_the_longer(values: Any) -> Any:
    return values * np.nan if len(values) == 200 else values


def _raises_for_the_longer(values: Any) -> Any:
    return _raises() if len(values) == 200 else values


def _golden(rows: int) -> Callable[[Bench], None]:
    def cut(loaded: LoadedVersion) -> LoadedVersion:
        assert loaded.golden is not None
        return replace(loaded, golden=GoldenRows(loaded.golden.columns, loaded.golden.rows[:rows], loaded.golden.predicted[:rows]))

    return _registry(loads=cut)


def _nan(values: Any) -> Any:
    return np.full_like(values, np.nan)


def _twice(values: Any) -> Any:
    return values + np.where(np.arange(len(values)) % 20 == 1, 100.0, 0.0)


def _late(predictor: Any, rows: pd.DataFrame) -> dict[str, Chances]:
    known = chances(predictor, rows)["high"]
    return {"high": Chances(known.probability, np.where(np.arange(len(rows)) < 20, known.outcome, np.nan))}


def _not_finite(predictor: Any, rows: pd.DataFrame) -> dict[str, Chances]:
    return {"high": Chances(np.full(len(rows), np.nan), np.zeros(len(rows)))}


def _turned_round(predictor: Any, rows: pd.DataFrame) -> dict[str, Chances]:
    known = chances(predictor, rows)["high"]
    return {"high": Chances(1 - known.probability, known.outcome)} if predictor.predict(rows).mean() < 0 else {"high": known}


_OFF = 1e-6
_WORSE = ExperimentOutcome("titles", 900, -0.1, -0.2, -0.01, True)
MATRIX = [
    pytest.param("quarantine", _quarantined, "12 % worse", id="quarantine-given"),
    pytest.param("artifact", _changed, "", id="artifact-changed"),
    pytest.param("artifact", _registry(probes=_raises), "ZeroDivisionError", id="artifact-raises"),
    pytest.param("artifact", _registry(probes=lambda figures: {**figures, "peak_mb": math.nan}), "not a number: peak_mb", id="artifact-nan"),
    pytest.param("artifact", _registry(probes=lambda figures: {}), "KeyError", id="artifact-no-figures"),
    pytest.param("artifact", _registry(loads=_raises), "ZeroDivisionError", id="artifact-raises-when-loaded-here"),
    pytest.param("rows", _lake(lambda rows: rows.iloc[:0]), "holds nothing", id="rows-no-data"),
    pytest.param("rows", _lake(lambda rows: rows[rows["entity"].str.endswith("-1")]), "7 labelled rows", id="rows-starved"),
    pytest.param("rows", _lake(lambda rows: rows.assign(y=np.nan)), "0 list days", id="rows-no-outcome"),
    pytest.param("held_out", _trained_on_the_window, "tiny@2 was trained to", id="held_out-broken"),
    pytest.param("held_out", _registry(loads_champion=_raises), "ZeroDivisionError", id="held_out-raises"),
    pytest.param("schema", _loads(golden=None), "not those serving sends", id="schema-no-data"),
    pytest.param("schema", _loads(card={"features": {"high": ["rank"]}}), "rank", id="schema-foreign-column"),
    pytest.param("schema", _loads(card=None), "AttributeError", id="schema-raises"),
    pytest.param("predictions", _predicts(_nan), "not finite", id="predictions-nan"),
    pytest.param("predictions", _predicts(_raises), "ZeroDivisionError", id="predictions-raise"),
    pytest.param("predictions", _predicts(np.zeros_like), "the same prediction", id="predictions-constant"),
    pytest.param("predictions", _predicts(lambda values: values[:0]), "shape", id="predictions-none"),
    pytest.param("improvement", _registry(loads_champion=_raises), "ZeroDivisionError", id="improvement-raises"),
    pytest.param("improvement", _predicts(_nan), "not a number", id="improvement-nan"),
    pytest.param("improvement", _predicts(lambda values: values + 5.0), "may be worse", id="improvement-worse"),
    pytest.param("segments", _gates(segment_column="country"), "KeyError", id="segments-no-data"),
    pytest.param("segments", _predicts(_nan), "not a number", id="segments-nan"),
    pytest.param("segments", _predicts(_twice), "worse by", id="segments-one-is-worse"),
    pytest.param("coverage", _predicts(lambda bounds: (bounds[0] * np.nan, bounds[1]), only="interval"), "0.0%", id="coverage-nan"),
    pytest.param("coverage", _predicts(_raises, only="interval"), "ZeroDivisionError", id="coverage-raises"),
    pytest.param("calibration", _spec(chances=_raises), "ZeroDivisionError", id="calibration-raises"),
    pytest.param("calibration", _spec(chances=_not_finite), "none", id="calibration-nan"),
    pytest.param("calibration", _spec(chances=_late), "20 outcomes known, 50 needed", id="calibration-starved"),
    pytest.param("calibration", _spec(chances=lambda predictor, rows: {}), "no head", id="calibration-no-data"),
    pytest.param("calibration", _spec(chances=_turned_round), "does not fit", id="calibration-wrong"),
    pytest.param("size", _loads(size_bytes=math.nan), "not a number", id="size-nan"),
    pytest.param("size", _loads(size_bytes=10**9), "1e+03 MB", id="size-too-large"),
    pytest.param("size", _loads(size_bytes=None), "TypeError", id="size-raises"),
    pytest.param("parity", _registry(compiles=_raises), "ZeroDivisionError", id="parity-raises"),
    pytest.param("parity", _golden(3), "over 3 golden rows", id="parity-starved"),
    pytest.param("parity", _loads(golden=None), "no golden rows", id="parity-no-data"),
    pytest.param("parity", _registry(probes=lambda figures: {**figures, "parity": _OFF}), "differs by up to 1e-06", id="parity-wrong-in-the-child"),
    pytest.param(
        "parity", _registry(compiles=lambda made: replace(made, score=lambda matrix: made.score(matrix) + _OFF)), "differs by up to", id="parity-wrong-here"
    ),
    pytest.param("parity", _registry(compiles=lambda made: replace(made, score=lambda matrix: made.score(matrix) * math.nan)), "", id="parity-nan"),
    pytest.param("latency", _spec(answers=_raises), "ZeroDivisionError", id="latency-raises"),
    pytest.param("latency", _gates(max_latency_ms=0.0), "at most 0", id="latency-too-slow"),
    pytest.param("latency", _gates(max_latency_ms=math.nan), "at most nan", id="latency-no-bound"),
    pytest.param("traffic", lambda bench: bench.ask_champion(x="새벽"), "request asked-1: ", id="traffic-one-raises"),
    pytest.param(
        "traffic",
        lambda bench: (bench.ask_champion(), _spec(answers=lambda heads, card: _Says(math.nan))(bench)),
        "request asked-1: ValueError: answered nan",
        id="traffic-nan",
    ),
    pytest.param("experiment", _found(_raises), "ZeroDivisionError", id="experiment-raises"),
    pytest.param("experiment", _found(lambda *_: _WORSE), "worse than the champion", id="experiment-worse"),
    pytest.param("experiment", _found(lambda *_: replace(_WORSE, high=math.nan)), "not a number", id="experiment-nan"),
    pytest.param("experiment", _found(lambda *_: replace(_WORSE, high=0.1, groups_as_planned=False)), "not divided as planned", id="experiment-groups"),
    pytest.param("baseline", _trained_shorter(_nan_for_the_longer), "not all numbers", id="baseline-nan"),
    pytest.param("baseline", _trained_shorter(_raises_for_the_longer), "ZeroDivisionError", id="baseline-raises"),
]


@dataclass
class _Says:
    said: float

    def answer(self, requests: Any, rows: Rows = None) -> list[dict[str, Any]]:
        return [{"prediction": self.said}]


def test_the_candidate_of_these_tests_passes_when_nothing_is_spoilt(bench: Bench) -> None:
    bench.ask_champion()
    assert bench.judge() == {}


@pytest.mark.parametrize(("gate", "spoil", "words"), MATRIX)
def test_a_gate_that_cannot_be_passed_refuses_by_its_name(bench: Bench, gate: str, spoil: Callable[[Bench], None], words: str) -> None:
    spoil(bench)
    failed = bench.judge()
    assert gate in failed
    assert failed[gate]["detail"]
    assert words in failed[gate]["detail"]


def test_the_matrix_holds_every_gate() -> None:
    named = {case.values[0] for case in MATRIX}
    assert named == {
        *("quarantine", "artifact", "rows", "held_out", "schema", "predictions", "improvement", "segments", "coverage", "calibration", "size"),
        *("parity", "latency", "traffic", "experiment", "baseline"),
    }


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param("kill -9 $$", "died with status -9", id="killed"),
        pytest.param("exec {python} -c 'import {child} as c, {probe} as p; c.MEMORY_BYTES = 150 * 2**20; c.answer(p._probe)'", "", id="out-of-memory"),
        pytest.param("ulimit -t 1; while :; do :; done", "died with status", id="out-of-cpu-time"),
        pytest.param("sleep 60", "did not load within", id="hangs"),
        pytest.param("echo nonsense", "died with status 0", id="says-nonsense"),
    ],
)
def test_a_loading_process_that_is_killed_or_starved_refuses_the_artifact(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, words: str
) -> None:
    starved = tmp_path / "python"
    starved.write_text("#!/bin/bash\n" + body.format(python=sys.executable, child=limited_child.__name__, probe=artifact_probe.__name__) + "\n")
    starved.chmod(0o755)
    monkeypatch.setattr(limited_child, "WALL_SECONDS", 5.0)
    monkeypatch.setattr(sys, "executable", str(starved))
    monkeypatch.setattr(bench.registry, "probe", bench.registry.probe_in_child)
    failed = bench.judge()
    assert list(failed) == ["artifact"]
    assert words in failed["artifact"]["detail"]
    assert ArtifactRefused.__name__ in failed["artifact"]["detail"]


def _away(*_: Any, **__: Any) -> Any:
    raise Unavailable("the part does not answer")


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(_registry(probes=_away), id="registry-at-the-probe"),
        pytest.param(_registry(loads=_away), id="registry-at-the-candidate"),
        pytest.param(_registry(loads_champion=_away), id="registry-at-the-champion"),
        pytest.param(_registry(compiles=_away), id="registry-at-the-compiled-form"),
        pytest.param(_found(_away), id="experiments"),
    ],
)
def test_while_a_part_is_away_nothing_is_judged_and_the_action_is_tried_again_until_it_fails(bench: Bench, spoil: Callable[[Bench], None]) -> None:
    spoil(bench)
    claim, carry_out = bench.claim(), CarryOut(bench.store, bench.clock)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        with pytest.raises(Unavailable):
            bench.evaluate.run(claim)
        assert carry_out.fail(claim.lease, "Unavailable: the part does not answer")
        with bench.store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute("UPDATE actions SET retry_at = NULL")
        again = carry_out.claim(ActionKind.EVALUATE, f"again-{attempt}", claim.action.id)
        assert (again is None) == (attempt == MAX_ATTEMPTS)
        claim = again or claim
    with bench.store.transaction() as tx:
        row = tx.versions.get(NAME, 2)
        assert tx.actions.require(claim.action.id).status is ActionStatus.FAILED
    assert row is not None
    assert (row.status, row.scorecard) == ("candidate", None)
    assert [event.type for event in said(bench.store, "/airflow/evaluate")] == ["action_failed"]
