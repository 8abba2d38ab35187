"""One behaviour, two registries: the twin in memory and MLflow."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest

from evergreen.adapters.memory.registry import MemoryRegistry
from evergreen.adapters.mlflow_registry import MlflowRegistry
from evergreen.core.errors import ArtifactRefused, NotCompilable, NotFound
from evergreen.core.release import released_at
from evergreen.domains.movies.dataset import movie_dataset
from evergreen.domains.movies.simulator import simulate as simulate_ratings
from evergreen.domains.movies.spec import movie_spec
from evergreen.domains.videos.features import build_features
from evergreen.domains.videos.simulator import simulate
from evergreen.domains.videos.spec import video_spec
from evergreen.ports.model import ModelSpec
from evergreen.ports.registry import ModelRegistry, NewVersion
from evergreen.services.candidates import Origin, new_version
from evergreen.services.training import train_candidate
from tests.support.tiny import BREAK, tiny_rows, tiny_spec

KEY = bytes(range(32))
CANDIDATE = train_candidate(tiny_spec(), tiny_rows(40), released_at(BREAK))


@pytest.fixture
def spec() -> ModelSpec:
    """A model of its own per test: the registry is shared by all of them."""
    return tiny_spec(f"tiny_{uuid4().hex[:8]}")


@pytest.fixture(params=["memory", pytest.param("mlflow", marks=pytest.mark.connected)])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ModelRegistry]:
    if request.param == "memory":
        yield MemoryRegistry(tmp_path / "registry", KEY)
    else:
        settings = request.getfixturevalue("mlflow_settings")
        yield MlflowRegistry(settings.mlflow.tracking_uri, cache=tmp_path / "cache", key=KEY)


def _new(spec: ModelSpec, action_id: str | None = None) -> NewVersion:
    origin = Origin(uuid4(), "test", released_at(BREAK))
    made = new_version(spec, dataclasses.replace(CANDIDATE), origin, 0.5)
    return dataclasses.replace(made, action_id=action_id or str(origin.action_id))


def test_versions_are_numbered_from_one_and_found_by_their_action(registry: ModelRegistry, spec: ModelSpec) -> None:
    first, second = registry.register(_new(spec, "act-1")), registry.register(_new(spec, "act-2"))
    assert (first.version, second.version) == (1, 2)
    assert registry.find(spec.name, "act-2") == second
    assert registry.find(spec.name, "act-3") is None
    assert registry.find("nobody", "act-1") is None
    assert second.summary["rows"] == CANDIDATE.rows
    assert second.summary["metrics"] == CANDIDATE.metrics


def test_registering_again_under_the_same_action_makes_no_second_version(registry: ModelRegistry, spec: ModelSpec) -> None:
    assert registry.register(_new(spec, "act-1")) == registry.register(_new(spec, "act-1"))


def test_a_loaded_version_predicts_what_the_trained_one_did(registry: ModelRegistry, spec: ModelSpec) -> None:
    version = registry.register(_new(spec))
    loaded = registry.load(spec, version.version)
    trained = spec.predictor(CANDIDATE.fitted.estimators, CANDIDATE.fitted.card)
    rows = CANDIDATE.evaluation[list(spec.feature_names)]
    assert (loaded.predictor.predict(rows) == trained.predict(rows)).all()
    assert loaded.golden is not None
    golden = pd.DataFrame(loaded.golden.rows, columns=list(loaded.golden.columns), dtype="float64")
    assert len(golden) == 500
    assert np.abs(loaded.predictor.predict(golden) - np.asarray(loaded.golden.predicted)).max() == 0
    assert loaded.card == CANDIDATE.fitted.card
    assert loaded.size_bytes > 1000


def test_the_compiled_form_says_what_the_pipeline_says_now_and_from_disk(registry: ModelRegistry) -> None:
    videos, table = dataclasses.replace(video_spec(), name=f"videos_{uuid4().hex[:8]}"), build_features(simulate(date(2025, 4, 1), date(2025, 4, 20), 3), "KR")
    registry.register(NewVersion("a", videos, videos.fit(table, 0), table, {}, {}, {}, {}))
    assert registry.probe(videos, 1)["parity"] <= 1e-12
    said = registry.load(videos, 1).predictor.predict(table)
    for _ in range(2):
        compiled = registry.compiled(videos, 1)
        assert np.abs(compiled.score(table[list(videos.feature_names)].to_numpy(dtype=np.float64)) - said).max() <= 1e-12
    with pytest.raises(NotFound):
        registry.compiled(videos, 99)


def test_a_form_that_is_no_forest_says_what_the_estimator_says_now_and_from_disk(registry: ModelRegistry) -> None:
    movies = dataclasses.replace(movie_spec(), name=f"movies_{uuid4().hex[:8]}")
    table = movies.build_features(movie_dataset().validate(simulate_ratings(date(2025, 4, 1), date(2025, 4, 12)), date(2025, 4, 12)).clean)
    registry.register(NewVersion("a", movies, movies.fit(table, 0), table, {}, {}, {}, {}))
    assert registry.probe(movies, 1)["parity"] == 0.0
    said = registry.load(movies, 1).predictor.predict(table)
    for _ in range(2):
        compiled = registry.compiled(movies, 1)
        assert (compiled.score(table[list(movies.feature_names)].to_numpy(dtype=np.float64)) == said).all()
    assert said.max() > 0.5


def test_what_has_no_compiled_form_says_so(registry: ModelRegistry, spec: ModelSpec) -> None:
    version = registry.register(_new(spec))
    assert "parity" not in registry.probe(spec, version.version)
    for _ in range(2):
        with pytest.raises(NotCompilable, match="LinearRegression"):
            registry.compiled(spec, version.version)


def test_a_version_that_does_not_exist_is_not_found(registry: ModelRegistry, spec: ModelSpec) -> None:
    with pytest.raises(NotFound):
        registry.load(spec, 99)
    with pytest.raises(NotFound):
        registry.verify(spec.name, 99)


def test_what_was_registered_is_what_was_signed(registry: ModelRegistry, spec: ModelSpec) -> None:
    registry.verify(spec.name, registry.register(_new(spec)).version)


def test_aliases_are_set_moved_and_removed(registry: ModelRegistry, spec: ModelSpec) -> None:
    assert registry.aliases(spec.name) == {}
    registry.register(_new(spec))
    registry.register(_new(spec))
    registry.set_aliases(spec.name, {"champion": 1, "challenger": 2})
    assert registry.aliases(spec.name) == {"champion": 1, "challenger": 2}
    registry.set_aliases(spec.name, {"champion": 2, "challenger": None, "never_there": None})
    assert registry.aliases(spec.name) == {"champion": 2}


def test_notes_and_files_may_be_written_again(registry: ModelRegistry, spec: ModelSpec) -> None:
    version = registry.register(_new(spec))
    for _ in range(2):
        registry.annotate(spec.name, version.version, {"evergreen.verdict": "approved"})
        registry.attach(version.run_id, "scorecard.json", b"{}", "application/json")
    assert registry.version_url(spec.name, version.version)
    assert registry.run_url(spec.name, version.run_id)


@pytest.mark.connected
class TestMlflow:
    """What only the real one can show."""

    @pytest.fixture
    def mlflow_registry(self, mlflow_settings: Any, tmp_path: Path) -> MlflowRegistry:
        return MlflowRegistry(mlflow_settings.mlflow.tracking_uri, cache=tmp_path / "cache", key=KEY)

    @pytest.mark.parametrize("dies_in", ["log_primary", "_create_version", "_upload", "_tag_run"])
    def test_a_registration_that_died_is_finished_not_repeated(
        self, mlflow_registry: MlflowRegistry, spec: ModelSpec, dies_in: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Died(BaseException):
            pass

        def dies(*_: Any) -> Any:
            raise Died

        with monkeypatch.context() as patched:
            if dies_in == "log_primary":
                patched.setattr("evergreen.adapters.mlflow_registry.log_primary", dies)
            else:
                patched.setattr(mlflow_registry, dies_in, dies)
            with pytest.raises(Died):
                mlflow_registry.register(_new(spec, "act-1"))
        assert mlflow_registry.find(spec.name, "act-1") is None
        version = mlflow_registry.register(_new(spec, "act-1"))
        assert version.version == 1
        assert mlflow_registry.find(spec.name, "act-1") == version
        assert mlflow_registry.load(spec, 1).card == CANDIDATE.fitted.card

    def test_mlflow_itself_loads_the_logged_model(self, mlflow_registry: MlflowRegistry, mlflow_settings: Any, spec: ModelSpec) -> None:
        import mlflow

        version = mlflow_registry.register(_new(spec))
        mlflow.set_tracking_uri(mlflow_settings.mlflow.tracking_uri)
        served = mlflow.pyfunc.load_model(f"models:/{spec.name}/{version.version}")
        rows = CANDIDATE.evaluation[list(spec.feature_names)]
        assert (served.predict(rows) == mlflow_registry.load(spec, version.version).predictor.predict(rows)).all()
        assert [column.name for column in served.metadata.signature.inputs] == list(spec.feature_names)
        assert served.input_example is not None
        assert served.metadata.flavors["sklearn"]["serialization_format"] == "skops"
        run = mlflow.get_run(version.run_id)
        assert run.data.metrics["mae_y"] == pytest.approx(CANDIDATE.metrics["mae_y"])
        assert run.info.status == "FINISHED"
        assert {"evergreen.cause", "evergreen.window", "evergreen.dataset_hash", "evergreen.cost_seconds"} <= set(run.data.tags)

    def test_a_model_flipped_to_cloudpickle_in_the_registry_runs_nothing_here(
        self, mlflow_registry: MlflowRegistry, mlflow_settings: Any, spec: ModelSpec, tmp_path: Path
    ) -> None:
        version = mlflow_registry.register(_new(spec))
        touched = tmp_path / "executed"
        import pickle

        class Evil:
            def __reduce__(self) -> Any:
                return Path.touch, (touched,)

        store = Path(mlflow_settings.home) / "data" / "mlflow-artifacts"
        logged = next(path for path in store.rglob("MLmodel") if version.run_id in path.read_text())
        logged.write_text(logged.read_text().replace("skops", "cloudpickle"))
        (logged.parent / "model.skops").write_bytes(pickle.dumps(Evil()))
        assert mlflow_registry.load(spec, version.version).card == CANDIDATE.fitted.card
        for refuses in (lambda: mlflow_registry.verify(spec.name, version.version), lambda: mlflow_registry.probe(spec, version.version)):
            with pytest.raises(ArtifactRefused, match="MLmodel is not what was signed"):
                refuses()
        assert not touched.exists()

    @pytest.mark.parametrize("name", ["primary.skops", "card.json", "manifest.json", "manifest.sig"])
    def test_a_file_changed_in_the_registry_is_refused(self, mlflow_registry: MlflowRegistry, mlflow_settings: Any, spec: ModelSpec, name: str) -> None:
        version = mlflow_registry.register(_new(spec))
        folder = next((Path(mlflow_settings.home) / "data" / "mlflow-artifacts").rglob(f"{version.run_id}/artifacts/evergreen"))
        body = bytearray((folder / name).read_bytes())
        body[len(body) // 2] ^= 1
        (folder / name).write_bytes(bytes(body))
        with pytest.raises(ArtifactRefused):
            mlflow_registry.load(spec, version.version)

    def test_a_cached_version_that_went_bad_on_disk_is_fetched_again(self, mlflow_registry: MlflowRegistry, spec: ModelSpec, tmp_path: Path) -> None:
        version = mlflow_registry.register(_new(spec))
        mlflow_registry.load(spec, version.version)
        cached = tmp_path / "cache" / spec.name / str(version.version) / "card.json"
        cached.write_text("{}")
        assert mlflow_registry.load(spec, version.version).card == CANDIDATE.fitted.card

    def test_one_versions_files_cannot_stand_in_for_anothers(self, mlflow_registry: MlflowRegistry, mlflow_settings: Any, spec: ModelSpec) -> None:
        first, second = mlflow_registry.register(_new(spec)), mlflow_registry.register(_new(spec))
        store = Path(mlflow_settings.home) / "data" / "mlflow-artifacts"
        one, other = (next(store.rglob(f"{version.run_id}/artifacts/evergreen")) for version in (first, second))
        for file in one.iterdir():
            (other / file.name).write_bytes(file.read_bytes())
        with pytest.raises(ArtifactRefused, match="@1's, not"):
            mlflow_registry.load(spec, second.version)

    def test_a_cached_version_loads_while_mlflow_is_away(self, mlflow_registry: MlflowRegistry, spec: ModelSpec, tmp_path: Path) -> None:
        version = mlflow_registry.register(_new(spec))
        mlflow_registry.load(spec, version.version)
        away = MlflowRegistry("http://127.0.0.1:9", cache=tmp_path / "cache", key=KEY)
        assert away.load(spec, version.version).card == CANDIDATE.fitted.card
