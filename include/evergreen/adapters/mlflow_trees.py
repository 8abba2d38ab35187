"""Folders in MLflow's store, a run's or a logged model's: listed and read over REST within limits. Nothing in them is loaded or obeyed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from evergreen.adapters.mlflow_rest import MlflowRest
from evergreen.core.errors import ArtifactRefused, EvergreenError

MAX_ENTRIES = 64
MAX_DEPTH = 3


@dataclass(frozen=True)
class Tree:
    kind: Literal["run", "model"]
    id: str
    path: str = ""
    """Of the folder inside; empty: all there is."""

    def __str__(self) -> str:
        return f"{self.kind} {self.id}" + (f", {self.path}" if self.path else "")


class MlflowTrees:
    def __init__(self, rest: MlflowRest) -> None:
        self._rest = rest

    def files(self, tree: Tree) -> dict[str, int]:
        """Path inside the folder -> bytes; empty when there is no such folder. Raises NotFound, Unavailable, and ArtifactRefused when there is
        more than a model has."""
        found: dict[str, int] = {}
        for path, size in self._walk(tree, tree.path, MAX_DEPTH):
            found[path.removeprefix(f"{tree.path}/") if tree.path else path] = size
            if len(found) > MAX_ENTRIES:
                raise ArtifactRefused(f"{tree}: more than {MAX_ENTRIES} files")
        return found

    def read(self, tree: Tree, path: str, limit: int) -> bytes:
        """Raises NotFound, Unavailable, and ArtifactRefused above `limit` bytes, of which no more are read."""
        whole = f"{tree.path}/{path}" if tree.path else path
        try:
            return self._rest.download(tree.id, whole, limit) if tree.kind == "run" else self._rest.download_logged(tree.id, whole, limit)
        except EvergreenError as error:
            if type(error) is EvergreenError:
                raise ArtifactRefused(str(error)) from error
            raise

    def _walk(self, tree: Tree, folder: str, depth: int) -> Iterator[tuple[str, int]]:
        for entry in self._listed(tree, folder):
            path = str(entry["path"])
            if not entry.get("is_dir"):
                yield path, int(entry.get("file_size") or 0)
            elif depth == 0:
                raise ArtifactRefused(f"{tree}: folders deeper than {MAX_DEPTH}")
            else:
                yield from self._walk(tree, path, depth - 1)

    def _listed(self, tree: Tree, folder: str) -> list[dict[str, Any]]:
        if tree.kind == "run":
            answer = self._rest.get("artifacts/list", run_id=tree.id, **({"path": folder} if folder else {}))
        else:
            answer = self._rest.get(f"logged-models/{tree.id}/artifacts/directories", **({"artifact_directory_path": folder} if folder else {}))
        entries: list[dict[str, Any]] = answer.get("files", [])
        if len(entries) > MAX_ENTRIES or answer.get("next_page_token"):
            raise ArtifactRefused(f"{tree}: more than {MAX_ENTRIES} files")
        return entries
