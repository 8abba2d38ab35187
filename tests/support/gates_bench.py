"""Everything around one evaluation on real tables, with a registry whose version 2 a test can spoil."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from evergreen.adapters import artifact_probe
from evergreen.adapters.memory.registry import MemoryRegistry
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.contracts.actions import ActionKind
from evergreen.core.clock import FixedClock
from evergreen.core.release import released_at
from evergreen.core.served_form import ExperimentOutcome
from evergreen.ports.index import PredictionRow
from evergreen.ports.model import Chances, ModelSpec, Rows
from evergreen.ports.registry import CompiledVersion, LoadedVersion
from evergreen.services.candidates import Origin, new_version, version_row
from evergreen.services.carry_out import CarryOut
from evergreen.services.evaluate import Evaluate
from evergreen.services.model_work import ModelWork
from evergreen.services.training import train_candidate
from evergreen.settings import Settings
from tests.support.claims import claimed, emptied, said
from tests.support.tiny import BREAK, FEATURES, NAME, FrameLake, tiny_rows, tiny_spec

AS_OF = released_at(BREAK + timedelta(days=25))
ROWS = tiny_rows(90)


def chances(predictor: Any, rows: pd.DataFrame) -> dict[str, Chances]:
    chance = norm.cdf((predictor.predict(rows) + 0.5) / 0.1)
    return {"high": Chances(chance, np.asarray(rows["y"] > -0.5, dtype=np.float64))}


class HeadAnswers:
    def __init__(self, heads: Any, card: Mapping[str, Any]) -> None:
        self._heads = heads

    def answer(self, requests: Any, rows: Rows = None) -> list[dict[str, Any]]:
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
        return Evaluate(ModelWork(self.store, self.clock, carry_out, self.registry, self.lake, lambda _: self.spec), self.experiments)

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


@contextmanager
def gates_bench(postgres_settings: Settings, tmp_path: Path) -> Iterator[Bench]:
    """Version 1 serves, trained before the break; version 2 waits for its verdict, trained after it."""
    spec = replace(tiny_spec(), chances=chances, answers=HeadAnswers)
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
