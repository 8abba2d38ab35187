"""A bench for what comes through the registry's door: real MLflow and Postgres, a tiny model, a first version that serves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pandas as pd

from evergreen.adapters.mlflow_registry import MlflowRegistry
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.adapters.submitted_models import MlflowSubmittedModels
from evergreen.contracts.actions import ActionKind
from evergreen.core.clock import FixedClock
from evergreen.core.errors import EvergreenError
from evergreen.core.release import released_at
from evergreen.ports.experiments import NoExperiments
from evergreen.ports.model import ModelSpec
from evergreen.ports.storage import ActionRow
from evergreen.services.adopt import Adopt
from evergreen.services.carry_out import CarryOut
from evergreen.services.champion_projection import ChampionProjection
from evergreen.services.deploy import Deploy
from evergreen.services.evaluate import Evaluate
from evergreen.services.examine_moved import ExamineMoved
from evergreen.services.model_work import ModelWork
from evergreen.services.promote import Promote
from evergreen.services.retrain import Retrain
from evergreen.services.rollback import Rollback
from evergreen.services.submissions import RequestSubmission, Submission
from evergreen.settings import Settings
from serving.loader import VersionLoader
from tests.support.claims import claimed, emptied
from tests.support.meanwhile import repeatedly
from tests.support.serving_workers import ServingWorkers, Worker
from tests.support.tiny import BREAK, FrameLake, tiny_rows, tiny_spec

NOW = released_at(BREAK)
KEY = bytes(range(32))


class Touch:
    """A pickle that makes a file when it is loaded."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return Path.touch, (self.file,)


@dataclass
class Bench:
    store: PostgresStore
    registry: MlflowRegistry
    spec: ModelSpec
    files: Path
    folder: Path
    tracking_uri: str
    clock: FixedClock = field(default_factory=lambda: FixedClock(NOW))
    rows: pd.DataFrame = field(default_factory=lambda: tiny_rows(59))
    """Of the lake."""

    @property
    def touched(self) -> Path:
        """What hostile code would make."""
        return self.folder / "touched"

    @property
    def carry_out(self) -> CarryOut:
        return CarryOut(self.store, self.clock)

    @property
    def projection(self) -> ChampionProjection:
        examine = ExamineMoved(self.store, self.registry, lambda _: self.spec, self.clock.now)
        return ChampionProjection(self.store, self.registry, [self.spec.name], examine=examine.run)

    @property
    def work(self) -> ModelWork:
        return ModelWork(self.store, self.clock, self.carry_out, self.registry, FrameLake(self.rows), lambda _: self.spec)

    def trained(self) -> int:
        claim = claimed(self.store, self.clock, ActionKind.RETRAIN, {}, model=self.spec.name, target=self.spec.name)
        return int(self.retrainer.run(claim)["model_version"].rpartition("@")[2])

    @property
    def retrainer(self) -> Retrain:
        return Retrain(self.work)

    def evaluate(self, version: int) -> dict[str, Any]:
        claim = claimed(self.store, self.clock, ActionKind.EVALUATE, {}, model=self.spec.name, target=f"{self.spec.name}@{version}")
        return dict(Evaluate(self.work, NoExperiments()).run(claim))

    @property
    def deploy(self) -> Deploy:
        return Deploy(self.store, self.clock, self.carry_out, self.projection, min_confirmations=1, confirm_seconds=20)

    def promote(self, version: int) -> None:
        claim = claimed(self.store, self.clock, ActionKind.PROMOTE, {}, model=self.spec.name, target=f"{self.spec.name}@{version}")
        with ServingWorkers(self.store, [Worker("a")]):
            Promote(self.deploy).run(claim)

    def roll_back(self, params: dict[str, Any]) -> None:
        claim = claimed(self.store, self.clock, ActionKind.ROLLBACK, params, model=self.spec.name, target=self.spec.name)
        with ServingWorkers(self.store, [Worker("a")]):
            Rollback(self.store, self.registry, self.deploy, lambda _: self.spec).run(claim)

    def submit(self, uri: str, trained_to: date, key: str | None = None) -> ActionRow:
        """Asked for and carried out."""
        asked = Submission(self.spec.name, uri, trained_to, "trained elsewhere", "test", key or str(uuid4()))
        action = RequestSubmission(self.store, self.clock, {self.spec.name: self.spec}).run(asked)
        return self.adopt(action.id)

    def adopt(self, action_id: UUID) -> ActionRow:
        """Where it is due."""
        claim = self.carry_out.claim(ActionKind.RETRAIN, f"run-{uuid4()}", action_id)
        if claim is not None:
            with suppress(EvergreenError):
                self.adopter().run(claim)
        with self.store.transaction() as tx:
            return tx.actions.require(action_id)

    def adopter(self) -> Adopt:
        submitted = MlflowSubmittedModels(self.tracking_uri, self.folder)
        return Adopt(self.work, submitted)

    def signed(self, version: int) -> Path:
        """The version's own folder in the store."""
        run_id = self._found(version)["run_id"]
        return next(self.files.rglob(f"{run_id}/artifacts/evergreen"))

    def logged(self, version: int) -> Path:
        """Of the MLflow model beside it."""
        return next(self.files.rglob(f"{self._found(version)['source'].removeprefix('models:/')}/artifacts"))

    def _found(self, version: int) -> dict[str, Any]:
        found: dict[str, Any] = self.registry._rest.get("model-versions/get", name=self.spec.name, version=str(version))["model_version"]
        return found


class Logged:
    """A model somebody logged with MLflow's own client."""

    def __init__(self, bench: Bench, estimator: Any, trusted: tuple[str, ...] = ("numpy.dtype",)) -> None:
        import mlflow

        mlflow.set_tracking_uri(bench.tracking_uri)
        with mlflow.start_run() as run:
            info = mlflow.sklearn.log_model(
                estimator, name="theirs", serialization_format="skops", skops_trusted_types=list(trusted), pip_requirements=["scikit-learn"]
            )
        self.uri = str(info.model_uri)
        self.run_uri = f"runs:/{run.info.run_id}/theirs"
        self.folder = next(bench.files.rglob(f"{info.model_id}/artifacts"))


@contextmanager
def registry_bench(settings: Settings, folder: Path) -> Iterator[Bench]:
    store = emptied(PostgresStore(settings.postgres.dsn.get_secret_value()))
    registry = MlflowRegistry(settings.mlflow.tracking_uri, cache=folder / "cache", key=KEY)
    files = Path(settings.home) / "data" / "mlflow-artifacts"
    made = Bench(store, registry, tiny_spec(f"tiny_{uuid4().hex[:8]}"), files, folder, settings.mlflow.tracking_uri)
    assert made.trained() == 1
    assert made.evaluate(1)["approved"]
    made.promote(1)
    yield made
    store.close()


@contextmanager
def answering(bench: Bench) -> Iterator[None]:
    """The champion, as serving loads it, is asked every 50 ms."""
    loaded = VersionLoader(bench.registry, {bench.spec.name: bench.spec}).load(bench.spec.name, 1)
    answers: list[float] = []
    with repeatedly(lambda: answers.append(loaded.answering.answer([{"x": 0.5, "group": 1.0}])[0]["prediction"]), 0.05):
        yield
    assert answers
    assert max(answers) - min(answers) == 0
    with bench.store.transaction() as tx:
        champion = tx.champions.get(bench.spec.name)
    assert champion is not None
    assert (champion.version, champion.epoch) == (1, 1)
