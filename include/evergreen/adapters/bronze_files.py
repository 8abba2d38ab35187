"""Bronze: batches as received, their quarantined rows, and why whole batches were refused. Plain files, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evergreen.ports.lake import BatchRejected

if TYPE_CHECKING:
    import pandas as pd

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")


class BronzeFiles:
    """`<root>/bronze/<dataset>/<batch>/received.parquet`, `<root>/quarantine/<dataset>/<batch>.parquet` (rows) or `.json` (a whole batch).

    Guarantee: a file that is there is whole (written aside, then renamed); keeping a batch again replaces it with the same content."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read_batch(self, path: str, sha256: str | None) -> pd.DataFrame:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            body = Path(path).read_bytes()  # read once: what is hashed is what is parsed
        except OSError as error:
            raise BatchRejected("missing_file", f"{Path(path).name}: cannot be read: {error.strerror or error}") from error
        found = hashlib.sha256(body).hexdigest()
        if sha256 is not None and found != sha256.lower():
            raise BatchRejected("hash_mismatch", f"{Path(path).name}: is not the announced file: SHA-256 {found[:12]}… instead of {sha256[:12]}…")
        try:
            received: pd.DataFrame = pq.read_table(pa.BufferReader(body)).to_pandas(types_mapper=_nullable, ignore_metadata=True)
        except (pa.ArrowException, ValueError, OSError) as error:
            raise BatchRejected("unreadable", f"{Path(path).name}: not a whole Parquet file: {_first_line(error)}") from error
        return received

    def keep(self, dataset: str, batch_id: str, received: pd.DataFrame, quarantined: pd.DataFrame) -> str:
        kept = self._bronze(dataset, batch_id) / "received.parquet"
        _write(kept, received)
        aside = self._quarantine(dataset) / f"{_name(batch_id)}.parquet"
        if len(quarantined):
            _write(aside, quarantined)
        else:
            aside.unlink(missing_ok=True)  # of the same batch before it was repaired
        return str(kept)

    def quarantined(self, dataset: str) -> Iterator[tuple[str, pd.DataFrame]]:
        """(name of the batch's file, its rows set aside), in the order of the names."""
        import pandas as pd

        for path in sorted(self._quarantine(dataset).glob("*.parquet")):
            yield path.stem, pd.read_parquet(path)

    def keep_rejected(self, dataset: str, batch_id: str, reason: Mapping[str, Any]) -> str:
        path = self._quarantine(dataset) / f"{_name(batch_id)}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"{path.name}.part")
        unfinished.write_text(json.dumps(dict(reason), indent=2, ensure_ascii=False, default=str), encoding="utf-8")
        unfinished.replace(path)
        return str(path)

    def drop(self, dataset: str, batch_ids: list[str]) -> int:
        folders = [folder for batch_id in batch_ids if (folder := self._bronze(dataset, batch_id)).is_dir()]
        for folder in folders:
            shutil.rmtree(folder)
        return len(folders)

    def _quarantine(self, dataset: str) -> Path:
        return self._root / "quarantine" / _name(dataset)

    def _bronze(self, dataset: str, batch_id: str) -> Path:
        return self._root / "bronze" / _name(dataset) / _name(batch_id)


def _name(given: str) -> str:
    """A batch id comes with an event from outside: `../../x` must not become a path."""
    if _SAFE.fullmatch(given):
        return given
    slug = re.sub(r"[^A-Za-z0-9_-]+", "-", given).strip("-")[:80]
    return f"{slug}-{hashlib.sha256(given.encode()).hexdigest()[:12]}"


def _nullable(arrow: Any) -> Any:
    """Whole numbers with gaps stay whole: floats would round counts above 2^53."""
    import pandas as pd
    import pyarrow as pa

    return pd.Int64Dtype() if pa.types.is_integer(arrow) else pd.BooleanDtype() if pa.types.is_boolean(arrow) else None


def _write(path: Path, rows: pd.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.part")
    rows.loc[:, ~rows.columns.duplicated()].to_parquet(unfinished, index=False)  # a file may name a column twice, a frame being written may not
    unfinished.replace(path)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
