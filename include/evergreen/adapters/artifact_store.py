"""Signed version folders on this disk, fetched from the registry's run when they are not there yet. Imports neither mlflow nor scikit-learn.

Guarantee: a folder that is there is whole and verified: it is filled under another name, verified and renamed in one step. Two processes
fetching at once both end with it. Remedy for a folder that went bad on disk: it is deleted and fetched again, once."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from evergreen.adapters import artifacts, logged_model
from evergreen.adapters.mlflow_rest import MlflowRest
from evergreen.adapters.mlflow_trees import MlflowTrees, Tree
from evergreen.core.errors import ArtifactRefused, EvergreenError, NotFound

_REMOTE = "evergreen"


class ArtifactStore:
    def __init__(self, rest: MlflowRest, root: Path, key: bytes) -> None:
        self._rest = rest
        self._trees = MlflowTrees(rest)
        self._root = root
        self._key = key

    def folder(self, model: str, version: int) -> Path:
        return self._root / model / str(version)

    def fetch(self, model: str, version: int) -> Path:
        """The verified folder. Works without MLflow when it is cached. Raises NotFound, Unavailable, ArtifactRefused."""
        folder = self.folder(model, version)
        identity = f"{model}@{version}"
        if folder.is_dir():
            try:
                artifacts.read_verified(folder, self._key, identity=identity)
                return folder
            except ArtifactRefused:
                shutil.rmtree(folder)
        return self._download(folder, model, version)

    def check(self, model: str, version: int) -> Path:
        """As `fetch`, of what the registry holds now, whatever is cached; and the MLflow model beside it must be what was signed with it."""
        found = self._rest.get("model-versions/get", name=model, version=str(version))["model_version"]
        folder = self.folder(model, version)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{version}-", dir=folder.parent) as temporary:
            now = self._download(Path(temporary) / "version", model, version)
            listed = {file.name for file in now.iterdir()}
            odd = sorted(set(self._trees.files(Tree("run", str(found["run_id"]), _REMOTE))) ^ listed)
            if odd:
                raise ArtifactRefused(f"the version's folder in the registry and its manifest differ in {', '.join(odd)}")
            signed = artifacts.signed_logged_model(now)
            if signed is not None:
                logged_model.check(self._trees, signed, str(found["source"]))
            if not folder.is_dir():
                with suppress(OSError):  # another process was first
                    now.rename(folder)
        return self.fetch(model, version)

    def _download(self, folder: Path, model: str, version: int) -> Path:
        identity = f"{model}@{version}"
        run_id = str(self._rest.get("model-versions/get", name=model, version=str(version))["model_version"]["run_id"])
        if not run_id:
            raise ArtifactRefused(f"{identity} was registered without a run: it has no signed version")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{version}-", dir=folder.parent) as temporary:
            partial = Path(temporary) / "version"
            partial.mkdir()
            self._fill(partial, run_id)
            artifacts.read_verified(partial, self._key, identity=identity)
            try:
                partial.rename(folder)
            except OSError:  # another process was first: its folder is verified like ours
                artifacts.read_verified(folder, self._key, identity=identity)
        return folder

    def _fill(self, partial: Path, run_id: str) -> None:
        """The manifest and its signature first; nothing it does not list is asked for."""
        try:
            signature = self._rest.download(run_id, f"{_REMOTE}/{artifacts.SIGNATURE}", 1024)
            manifest = self._rest.download(run_id, f"{_REMOTE}/{artifacts.MANIFEST}", artifacts.MAX_MANIFEST_BYTES)
            files = artifacts.manifest_files(manifest, signature.decode("ascii", "replace"), self._key)
            (partial / artifacts.MANIFEST).write_bytes(manifest)
            (partial / artifacts.SIGNATURE).write_bytes(signature)
            for name, size in files.items():
                (partial / name).write_bytes(self._rest.download(run_id, f"{_REMOTE}/{name}", min(size, artifacts.MAX_FILE_BYTES)))
        except NotFound as error:
            raise ArtifactRefused(f"run {run_id} has no complete signed version: {error}") from error
        except EvergreenError as error:
            if type(error) is EvergreenError:  # a file longer than its manifest says
                raise ArtifactRefused(str(error)) from error
            raise
