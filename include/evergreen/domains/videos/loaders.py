"""Trending lists from a user's file or folder, in the batch schema.

Known forms: Parquet, CSV, JSON and JSON lines with the columns of 2017, 2020 and 2025 (Kaggle's names too), a folder of such files,
a folder of daily JSON lists as YouTube's `videos.list` answers them (`trending_videos_KR_20250223.json`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from evergreen.core.errors import DataRejected
from evergreen.domains.videos.coerce import coerce_batch
from evergreen.domains.videos.names import ZONES
from evergreen.domains.videos.parse import day_of, region_of
from evergreen.domains.videos.readers import SUFFIXES, read_rows
from evergreen.domains.videos.schema import KEY, LOAD_ERROR, empty_batch


def load_lists(path: Path, region: str, on_rejected: Callable[[Path, DataRejected], None] | None = None) -> pd.DataFrame:
    """Every list of `region` below `path`, ordered by day and rank. A day without a list is absent.

    Guarantee: a row that was in a readable file is in the result, with `load_error` when a value of it could not be read.
    Failure: a file that cannot be read at all raises DataRejected naming it and the cause, unless `on_rejected` takes it: then the other files are read.
    Remedy: repair or remove the named file; loading again gives the same rows for the others.
    """
    batches: list[pd.DataFrame] = []
    named = {file: _region_of(file, path, region) for file in _files(path)}
    if path.is_dir() and not {region, None} & set(named.values()):
        raise DataRejected(f"{path}: no file for region {region} (has {', '.join(sorted(map(str, named.values())))})")
    others = sorted({name for name in named.values() if name not in {region, None}})
    for file in [file for file, name in named.items() if path.is_file() or name in {region, None}]:
        try:
            batches.append(_load_file(file, region, named[file], others))
        except DataRejected as error:
            if on_rejected is None:
                raise
            on_rejected(file, error)
    filled = [batch for batch in batches if len(batch)]
    if not filled:
        return empty_batch()
    whole = pd.concat(filled, ignore_index=True)
    return whole.sort_values(["list_date", "rank"], kind="stable", na_position="last", ignore_index=True)


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise DataRejected(f"{path}: no such file or folder")
    lists = [file for file in sorted(path.rglob("*")) if file.suffix.lower() in SUFFIXES and "category_id" not in file.name and not _hidden(file, path)]
    if not lists:
        raise DataRejected(f"{path}: holds no Parquet, CSV or JSON file")
    return lists


def _region_of(file: Path, root: Path, region: str) -> str | None:
    """What the file's name says, else the nearest folder that names a region we know, up to the one the caller named."""
    known = {*ZONES, region}
    if named := region_of(file.name, known):
        return named
    top = file.absolute().parent if root.is_file() else root.resolve()
    inside = () if root.is_file() else file.parent.relative_to(root).parts
    folders = (region_of(part, known) for part in (*reversed(inside), top.name))
    return next((name for name in folders if name in known), None)


def _hidden(file: Path, root: Path) -> bool:
    return any(part.startswith((".", "_")) for part in file.relative_to(root).parts)


def _load_file(path: Path, region: str, named: str | None, others: Sequence[str]) -> pd.DataFrame:
    """`named`: the region its name or folder says. `others`: of the files beside it; then one that says none may be of any."""
    raw = read_rows(path)
    if raw.empty:
        return empty_batch()
    if "region" not in raw.columns:
        if named not in {region, None}:
            raise DataRejected(f"{path.name}: holds region {named}, not {region}")
        if named is None and others:
            raise DataRejected(f"{path.name}: names no region, and beside it are lists of {', '.join(others)}; put {region} into its name")
        raw["region"] = region
    if "list_date" not in raw.columns:
        day = day_of(path.name)
        if day is None:
            raise DataRejected(f"{path.name}: no list date, neither in a column nor in the file name")
        raw["list_date"] = pd.Timestamp(day)
    batch = coerce_batch(raw)
    _refuse_other_region(path, batch, region)
    kept = batch[(batch["region"] == region) | batch["region"].isna()].reset_index(drop=True)
    _refuse_unreadable(path, kept)
    return kept


def _refuse_other_region(path: Path, batch: pd.DataFrame, region: str) -> None:
    regions = sorted(batch["region"].dropna().unique())
    if regions and region not in regions:
        raise DataRejected(f"{path.name}: no rows of region {region} (has {', '.join(regions)})")


def _refuse_unreadable(path: Path, batch: pd.DataFrame) -> None:
    """A file where not one row has its key is the wrong file, not a list of broken rows."""
    if len(batch) and batch[list(KEY)].isna().any(axis=1).all():
        reason = next(iter(batch[LOAD_ERROR].dropna()), "every row lacks its region, day or video id")
        raise DataRejected(f"{path.name}: not one row can be read: {reason}")
