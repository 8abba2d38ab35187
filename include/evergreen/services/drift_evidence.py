"""The picture that goes with a drift report, made after the event is out: the decision never waits for it.

Guarantee: repeating changes nothing, and a report without a picture is still a whole report. Failure: the picture cannot be made in
time, or the model registry is away. Remedy: logged with its cause; asking again for the report makes it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID

import structlog

from evergreen.core.errors import EvergreenError, NotFound, Unavailable
from evergreen.ports.drift_reports import DriftPictures, DriftReport, DriftStore
from evergreen.ports.lake import Lake
from evergreen.ports.model import ModelSpec
from evergreen.ports.registry import ModelRegistry
from evergreen.services.drift_windows import rows_between

log = structlog.get_logger(__name__)


class DriftEvidence:
    def __init__(self, store: DriftStore, lake: Lake, registry: ModelRegistry, pictures: DriftPictures, spec_of: Callable[[str], ModelSpec]) -> None:
        self._store = store
        self._lake = lake
        self._registry = registry
        self._pictures = pictures
        self._spec_of = spec_of

    def of_action(self, action_id: UUID) -> list[str]:
        """Of every drifted report of a check. Returns the URLs of those that are there afterwards; what cannot be made is logged."""
        with self._store.transaction() as tx:
            reports = [report for report in tx.drift_reports.of_action(action_id) if report.drifted]
        urls = []
        for report in reports:
            try:
                urls.append(self.run(report.id))
            except EvergreenError as error:
                log.warning("drift_picture_missing", report=str(report.id), error=str(error))
        return urls

    def run(self, report_id: UUID) -> str:
        """URL of the report's picture. Raises NotFound, Unavailable."""
        with self._store.transaction() as tx:
            report = tx.drift_reports.get(report_id)
            version = None if report is None else tx.versions.get(report.model, report.version)
        if report is None or version is None:
            raise NotFound(f"no drift report {report_id}")
        if not self._pictures.exists(report_id):
            body = self._make(report)
            self._attach(report, version.run_id, body)
        return self._pictures.url(report_id)

    def _make(self, report: DriftReport) -> bytes:
        import pandas as pd

        spec = self._spec_of(report.model)
        silver = pd.concat([self._lake.silver(dataset, last_day=report.last_day) for dataset in spec.datasets], ignore_index=True)
        table = spec.build_features(silver)
        sides = [rows_between(table, spec.time_column, *_days(report.features[side]))[list(spec.drift_features)] for side in ("reference", "current")]
        title = f"{report.model}@{report.version}, {report.first_day} to {report.last_day}"
        return self._pictures.make(report.id, *sides, categorical=spec.categorical_features, title=title)

    def _attach(self, report: DriftReport, run_id: str, body: bytes) -> None:
        try:
            self._registry.attach(run_id, f"drift/{report.first_day}_{report.last_day}.html", body, "text/html")
        except Unavailable as error:
            log.warning("drift_picture_not_attached", report=str(report.id), error=str(error))


def _days(side: dict[str, Any]) -> tuple[date, date]:
    return date.fromisoformat(side["first_day"]), date.fromisoformat(side["last_day"])
