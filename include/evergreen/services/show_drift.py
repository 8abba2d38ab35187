"""Drift reports and the quality of what was taken in, shaped for people."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from evergreen.core.drift_shown import profile_of, shown
from evergreen.core.errors import NotFound
from evergreen.ports.drift_records import DriftRecords, KeptPictures, Row
from evergreen.services.show_spread import CategoryName
from evergreen.services.version_names import version_name

MOST_FEATURES = 40


class ShowDrift:
    def __init__(self, records: DriftRecords, pictures: KeptPictures, names: Mapping[str, Mapping[int, CategoryName]]) -> None:
        """`names`: of a feature's labels, where labels are numbers of categories."""
        self._records = records
        self._pictures = pictures
        self._names = names

    async def timeline(self, model: str | None, limit: int) -> dict[str, Any]:
        rows = await self._records.timeline(model, limit)
        return {"reports": [_summary(row) | {name: row[name] for name in ("affected", "lost", "pictured")} for row in rows]}

    async def heat(self, model: str, windows: int) -> dict[str, Any]:
        """The features that moved most first; windows from the oldest on."""
        rows = list(reversed(await self._records.heat(model, windows)))
        of_window = [{cell["feature"]: cell for cell in row["cells"] or ()} for row in rows]
        names = sorted({name for cells in of_window for name in cells}, key=lambda name: (-_peak(of_window, name), name))
        features = [{"name": name, "cells": [_cell(cells.get(name)) for cells in of_window]} for name in names[:MOST_FEATURES]]
        return {"model": model, "windows": [_summary(row) for row in rows], "features": features, "left_off": max(len(names) - MOST_FEATURES, 0)}

    async def report(self, report_id: UUID) -> dict[str, Any]:
        """Raises NotFound."""
        row = await self._records.report(report_id)
        if row is None:
            raise NotFound(f"no drift report {report_id}; /drift lists them")
        found: Mapping[str, Any] = row["found"]
        made = row["pictured"] and await asyncio.to_thread(self._pictures.exists, report_id)
        return {
            **_summary(row),
            "action_id": row["action_id"],
            "features": found["results"],
            "losses": found.get("losses", []),
            "prediction": found.get("prediction"),
            "reference": found["reference"],
            "current": found["current"],
            "notes": found.get("notes", []),
            "picture": "made" if made else "expected" if row["pictured"] else "none",
            "distributions": row["profiled"],
        }

    async def distribution(self, report_id: UUID, feature: str) -> dict[str, Any]:
        """Raises NotFound, also where the rows' counts were not kept or were made anew since."""
        row = await self._records.profiles(report_id)
        if row is None:
            raise NotFound(f"no drift report {report_id}; /drift lists them")
        reference, current = profile_of(row["reference"]), profile_of(row["current"])
        found = None if reference is None or current is None else shown(reference, current, feature)
        if found is None or reference is None or current is None:
            raise NotFound(f"the two distributions of {feature!r} were not kept with report {report_id}")
        bars = [{**asdict(bar), **self._named(feature, bar.label)} for bar in found.bars]
        return {"report_id": report_id, "feature": feature, "n_reference": reference.n, "n_current": current.n, **asdict(found), "bars": bars}

    def _named(self, feature: str, label: str | None) -> dict[str, str | None]:
        name = self._names.get(feature, {}).get(int(label)) if label is not None and label.isdecimal() else None
        return {"name_ko": None if name is None else name.ko, "name_en": None if name is None else name.en}

    async def picture(self, report_id: UUID) -> bytes:
        """HTML. Raises NotFound."""
        body = await asyncio.to_thread(self._pictures.read, report_id)
        if body is None:
            raise NotFound(f"no picture of report {report_id}: it is made shortly after a drift, and only then")
        return body

    async def quality(self, dataset: str | None, limit: int) -> dict[str, Any]:
        datasets, batches = await self._records.datasets(), await self._records.batches(dataset, limit)
        return {"datasets": [dict(row) for row in datasets], "batches": [dict(row) for row in batches]}


def _summary(row: Row) -> dict[str, Any]:
    names = ("id", "model", "first_day", "last_day", "n", "score", "drifted", "time")
    return {name: row[name] for name in names} | {"version": version_name(row["model"], row["version"])}


def _peak(of_window: Sequence[Mapping[str, Any]], name: str) -> float:
    return float(max(cells[name]["score"] for cells in of_window if name in cells))


def _cell(cell: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if cell is None else {name: cell[name] for name in ("score", "statistic", "q_value", "drifted")}
