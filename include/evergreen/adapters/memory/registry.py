"""The registry's twin: versions in a dict, artifacts as the same signed folders on disk. For tests that need no MLflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from evergreen.adapters import artifacts
from evergreen.adapters.artifact_probe import builder
from evergreen.adapters.artifact_vet import vet
from evergreen.adapters.compiled import version_by, version_of
from evergreen.adapters.golden import golden_rows
from evergreen.core.errors import NotCompilable, NotExact, NotFound
from evergreen.ports.model import ModelSpec
from evergreen.ports.registry import CompiledVersion, LoadedVersion, NewVersion, RegisteredVersion, SearchTrial


class MemoryRegistry:
    def __init__(self, folder: Path, key: bytes = bytes(32)) -> None:
        self._folder = folder
        self._key = key
        self._by_action: dict[tuple[str, str], RegisteredVersion] = {}
        self._aliases: dict[str, dict[str, int]] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.files: dict[str, bytes] = {}
        self.trials: dict[str, Sequence[SearchTrial]] = {}

    def find(self, model: str, action_id: str) -> RegisteredVersion | None:
        return self._by_action.get((model, action_id))

    def register(self, new: NewVersion) -> RegisteredVersion:
        model = new.spec.name
        found = self.find(model, new.action_id)
        if found is not None:
            return found
        number = sum(known == model for known, _ in self._by_action) + 1
        version = RegisteredVersion(model, number, f"run-{number}", f"memory:/{model}/{number}", dict(new.summary))
        artifacts.save(self._version_folder(model, number), new.fitted, identity=version.name, key=self._key, golden=golden_rows(new))
        self._by_action[model, new.action_id] = version
        self.tags[version.name] = dict(new.tags)
        self.trials[version.name] = new.trials
        return version

    def load(self, spec: ModelSpec, version: int) -> LoadedVersion:
        folder = self._version_folder(spec.name, version)
        if not folder.is_dir():
            raise NotFound(f"there is no version {spec.name}@{version}")
        estimators, card = artifacts.load_verified(folder, spec.trusted_types, self._key, identity=f"{spec.name}@{version}")
        size = sum(file.stat().st_size for file in folder.iterdir())
        return LoadedVersion(spec.predictor(estimators, card), card, artifacts.read_golden(folder, self._key), size)

    def compiled(self, spec: ModelSpec, version: int) -> CompiledVersion:
        """In this process, from the same check."""
        from evergreen.adapters.forest_build import checked_forest

        folder = self._version_folder(spec.name, version)
        if not folder.is_dir():
            raise NotFound(f"there is no version {spec.name}@{version}")
        estimators, card = artifacts.load_verified(folder, spec.trusted_types, self._key, identity=f"{spec.name}@{version}")
        golden = artifacts.read_golden(folder, self._key)
        if spec.form is not None:
            arrays, _ = builder(spec.form.build)(estimators, card, golden)
            return version_by(spec.form, arrays, card, golden)
        forest, _ = checked_forest(estimators, spec.columns or spec.feature_names, golden)
        return version_of(forest, card, golden)

    def probe(self, spec: ModelSpec, version: int) -> Mapping[str, float]:
        """In this process: a twin for quick tests isolates nothing."""
        self.load(spec, version)
        try:
            self.compiled(spec, version)
        except NotExact as error:
            return {"seconds": 0.0, "peak_mb": 0.0, "parity": error.difference}
        except NotCompilable:
            return {"seconds": 0.0, "peak_mb": 0.0}
        return {"seconds": 0.0, "peak_mb": 0.0, "parity": 0.0}

    def verify(self, model: str, version: int) -> None:
        folder = self._version_folder(model, version)
        if not folder.is_dir():
            raise NotFound(f"there is no version {model}@{version}")
        artifacts.read_verified(folder, self._key, identity=f"{model}@{version}")

    def vet(self, spec: ModelSpec, version: int) -> None:
        """In this process, as `probe`."""
        self.verify(spec.name, version)
        folder = self._version_folder(spec.name, version)
        estimators, card = artifacts.load_verified(folder, spec.trusted_types, self._key, identity=f"{spec.name}@{version}")
        vet(estimators, card, artifacts.read_golden(folder, self._key), spec.feature_names, spec.columns or spec.feature_names)

    def annotate(self, model: str, version: int, tags: Mapping[str, str]) -> None:
        self.tags.setdefault(f"{model}@{version}", {}).update(tags)

    def attach(self, run_id: str, name: str, body: bytes, content_type: str) -> None:
        self.files[f"{run_id}/{name}"] = body

    def aliases(self, model: str) -> dict[str, int]:
        return dict(self._aliases.get(model, {}))

    def set_aliases(self, model: str, change: Mapping[str, int | None]) -> None:
        present = self._aliases.setdefault(model, {})
        for alias, version in change.items():
            if version is None:
                present.pop(alias, None)
            else:
                present[alias] = version

    def run_url(self, model: str, run_id: str) -> str:
        return f"memory:/runs/{run_id}"

    def version_url(self, model: str, version: int) -> str:
        return f"memory:/models/{model}/{version}"

    def spoil(self, model: str, version: int) -> None:
        """Flip a byte of the version's artifact."""
        file = self._version_folder(model, version) / "primary.skops"
        body = bytearray(file.read_bytes())
        body[len(body) // 2] ^= 1
        file.write_bytes(bytes(body))

    def _version_folder(self, model: str, version: int) -> Path:
        return self._folder / model / str(version)
