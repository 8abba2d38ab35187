"""Whatever happens to a gate (it raises, finds no number, no data, too little, its process is killed) the candidate is refused by that gate with
a reason, in the event, on the version and in the registry, and the champion stays. Only a part that is away refuses nothing."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from evergreen.adapters import artifact_probe
from evergreen.adapters.memory.registry import MemoryRegistry
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.contracts.actions import ActionKind, ActionStatus
from evergreen.core.clock import FixedClock
from evergreen.core.errors import ArtifactRefused, Unavailable
from evergreen.core.release import released_at
from evergreen.core.served_form import ExperimentOutcome
from evergreen.ports.index import PredictionRow
from evergreen.ports.model import Chances, ModelSpec
from evergreen.ports.registry import CompiledVersion, GoldenRows, LoadedVersion
from evergreen.ports.storage import MAX_ATTEMPTS
from evergreen.services.candidates import Origin, new_version, version_row
from evergreen.services.carry_out import CarryOut
from evergreen.services.evaluate import Evaluate
from evergreen.services.training import train_candidate
from evergreen.settings import Settings
from tests.support.claims import claimed, emptied, said
from tests.support.tiny import BREAK, FEATURES, NAME, FrameLake, TinyPredictor, tiny_rows, tiny_spec

pytestmark = pytest.mark.connected
AS_OF = released_at(BREAK + timedelta(days=25))
ROWS = tiny_rows(90)


def _chances(predictor: Any, rows: pd.DataFrame) -> dict[str, Chances]:
    chance = norm.cdf((predictor.predict(rows) + 0.5) / 0.1)
    return {"high": Chances(chance, np.asarray(rows["y"] > -0.5, dtype=np.float64))}


class HeadAnswers:
    def __init__(self, heads: Any, card: Mapping[str, Any]) -> None:
        self._heads = heads

    def answer(self, requests: Any) -> list[dict[str, Any]]:
        return [{"prediction": self._heads.one([request.get(name, math.nan) for name in FEATURES])["primary"]} for request in requests]


class OneHead:
    def __init__(self, predictor: Any) -> None:
        self._predictor = predictor

    def one(self, row: Any) -> dict[str, float]:
        return {"primary": float(self.many([row])["primary"][0])}

    def many(self, rows: Any) -> dict[str, Any]:
        return {"primary": self._predictor.predict(pd.DataFrame(rows, columns=list(FEATURES)))}


Spoil = Callable[[Any], Any]


class SpoiltRegistry(MemoryRegistry):
    """Version 2 as a test wants it."""

    loads: Spoil = staticmethod(lambda loaded: loaded)
    loads_champion: Spoil = staticmethod(lambda loaded: loaded)
    compiles: Spoil = staticmethod(lambda compiled: compiled)
    probes: Spoil = staticmethod(lambda figures: figures)

    def load(self, spec: ModelSpec, version: int) -> LoadedVersion:
        loaded: LoadedVersion = (self.loads if version == 2 else self.loads_champion)(super().load(spec, version))
        return loaded

    def compiled(self, spec: ModelSpec, version: int) -> CompiledVersion:
        heads = OneHead(super().load(spec, version).predictor)
        made: CompiledVersion = self.compiles(CompiledVersion(heads, lambda matrix: heads.many(matrix)["primary"], {}, None))
        return made

    def probe(self, spec: ModelSpec, version: int) -> Mapping[str, float]:
        super().load(spec, version)
        figures: Mapping[str, float] = self.probes({"seconds": 0.1, "peak_mb": 100.0, "parity": 1e-15})
        return figures

    def probe_in_child(self, spec: ModelSpec, version: int) -> Mapping[str, float]:
        return artifact_probe.probe_in_child(self._version_folder(NAME, version), spec, bytes(32), identity=f"{NAME}@{version}").figures


@dataclass
class Asked:
    outcome: Callable[[str, int], ExperimentOutcome | None] = field(default=lambda model, version: None)


@dataclass
class Bench:
    store: PostgresStore
    registry: SpoiltRegistry
    spec: ModelSpec
    lake: FrameLake
    clock: FixedClock
    experiments: Asked = field(default_factory=Asked)

    @property
    def evaluate(self) -> Evaluate:
        carry_out = CarryOut(self.store, self.clock)
        return Evaluate(self.store, self.clock, carry_out, self.registry, self.lake, lambda _: self.spec, self.experiments)

    def claim(self) -> Any:
        return claimed(self.store, self.clock, ActionKind.EVALUATE, {}, model=NAME, target=f"{NAME}@2", as_of=AS_OF)

    def judge(self) -> dict[str, dict[str, Any]]:
        """The failed gates by name, after checking that event, version and registry agree and that the champion stays."""
        self.evaluate.run(self.claim())
        (event,) = said(self.store, "/airflow/evaluate")
        with self.store.transaction() as tx:
            row, champion = tx.versions.get(NAME, 2), tx.champions.get(NAME)
        assert row is not None
        assert row.scorecard is not None
        assert champion is not None
        assert (champion.version, champion.epoch) == (1, 1)
        assert event.data["gates"] == row.scorecard["gates"]
        failed = {gate["name"]: gate for gate in event.data["gates"] if not gate["passed"]}
        assert (event.data["approved"], row.status) == ((False, "refused") if failed else (True, "approved"))
        tags = self.registry.tags[f"{NAME}@2"]
        assert {name for name, value in tags.items() if value.startswith("failed: ")} == {f"evergreen.gate.{name}" for name in failed}
        return failed

    def ask_champion(self, **features: Any) -> None:
        asked = {"x": 0.5, "group": 1.0} | features
        rest: dict[str, Any] = {"answer": {}, "latency_seconds": 0.001, "cached": False, "shadow_version": None, "shadow_predicted": None}
        row = PredictionRow("/serving/x", "e1", AS_OF, "asked-1", NAME, 1, "video", asked, -0.5, -1.0, 0.0, **rest)
        with self.store.transaction() as tx:
            tx.stream.predictions([row])


@pytest.fixture
def bench(postgres_settings: Settings, tmp_path: Path) -> Iterator[Bench]:
    spec = replace(tiny_spec(), chances=_chances, answers=HeadAnswers)
    store = emptied(PostgresStore(postgres_settings.postgres.dsn.get_secret_value()))
    made = Bench(store, SpoiltRegistry(tmp_path), spec, FrameLake(ROWS), FixedClock(AS_OF))
    with store.transaction() as tx, tx.connection.cursor() as cursor:
        for number, (as_of, change) in enumerate([(released_at(BREAK - timedelta(days=1)), None), (AS_OF, BREAK)], 1):
            origin = Origin(action_id=f"00000000-0000-4000-8000-00000000000{number}", cause="test", as_of=as_of)  # type: ignore[arg-type]
            registered = made.registry.register(new_version(spec, train_candidate(spec, ROWS, as_of, change), origin, 0.1))
            tx.versions.insert(version_row(registered, origin))
        cursor.execute(
            "INSERT INTO champions (model, version, epoch, deployment_id, since) VALUES (%s, 1, 1, gen_random_uuid(), %s)", (NAME, AS_OF.astimezone(UTC))
        )
    yield made
    store.close()


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
    known = _chances(predictor, rows)["high"]
    return {"high": Chances(known.probability, np.where(np.arange(len(rows)) < 20, known.outcome, np.nan))}


def _not_finite(predictor: Any, rows: pd.DataFrame) -> dict[str, Chances]:
    return {"high": Chances(np.full(len(rows), np.nan), np.zeros(len(rows)))}


def _turned_round(predictor: Any, rows: pd.DataFrame) -> dict[str, Chances]:
    known = _chances(predictor, rows)["high"]
    return {"high": Chances(1 - known.probability, known.outcome)} if predictor.predict(rows).mean() < 0 else {"high": known}


_LAST_WEEK = pd.Timestamp(BREAK + timedelta(days=19))
_OFF = 1e-6
_WORSE = ExperimentOutcome("titles", 900, -0.1, -0.2, -0.01, True)
MATRIX = [
    pytest.param("quarantine", _quarantined, "12 % worse", id="quarantine-given"),
    pytest.param("artifact", _changed, "", id="artifact-changed"),
    pytest.param("artifact", _registry(probes=_raises), "ZeroDivisionError", id="artifact-raises"),
    pytest.param("artifact", _registry(probes=lambda figures: {**figures, "peak_mb": math.nan}), "not a number: peak_mb", id="artifact-nan"),
    pytest.param("artifact", _registry(probes=lambda figures: {}), "KeyError", id="artifact-no-figures"),
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
]


@dataclass
class _Says:
    said: float

    def answer(self, requests: Any) -> list[dict[str, Any]]:
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
        *("parity", "latency", "traffic", "experiment"),
    }


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param("kill -9 $$", "died with status -9", id="killed"),
        pytest.param("exec {python} -c 'import {probe} as p; p.MEMORY_BYTES = 150 * 2**20; p.main()'", "", id="out-of-memory"),
        pytest.param("ulimit -t 1; while :; do :; done", "died with status", id="out-of-cpu-time"),
        pytest.param("sleep 60", "did not load within", id="hangs"),
        pytest.param("echo nonsense", "died with status 0", id="says-nonsense"),
    ],
)
def test_a_loading_process_that_is_killed_or_starved_refuses_the_artifact(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, words: str
) -> None:
    starved = tmp_path / "python"
    starved.write_text("#!/bin/bash\n" + body.format(python=sys.executable, probe=artifact_probe.__name__) + "\n")
    starved.chmod(0o755)
    monkeypatch.setattr(artifact_probe, "WALL_SECONDS", 5.0)
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
