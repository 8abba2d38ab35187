"""Who served last, on this disk: what a worker starts with while Postgres is away."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from evergreen.ports.serving import ChampionNow


class LastChampions:
    """Guarantee: a crash while writing leaves the file before. A file that cannot be read counts as none."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[ChampionNow]:
        try:
            kept = json.loads(self._path.read_bytes())
            return [ChampionNow(str(model), int(said["version"]), int(said["epoch"])) for model, said in kept.items()]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return []

    def keep(self, champions: Sequence[ChampionNow]) -> None:
        """Raises OSError."""
        body = json.dumps({champion.model: {"version": champion.version, "epoch": champion.epoch} for champion in champions})
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(prefix=".champions-", dir=self._path.parent)  # workers write at the same time
        with os.fdopen(handle, "w") as file:
            file.write(body)
        Path(partial).replace(self._path)
