"""The picture that goes with a drift report, made after the event is out: the decision never waits for it.

Guarantee: repeating changes nothing, and a report without a picture is still a whole report. Failure: the picture cannot be made in
time, or the model registry is away. Remedy: logged with its cause; asking again for the report makes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import structlog

from evergreen.contracts.envelope import decode
from evergreen.contracts.events import DataDriftDetected
from evergreen.contracts.topics import payload_of
from evergreen.core.errors import EvergreenError, NotFound, Unavailable
from evergreen.ports.drift_reports import DriftPictures, DriftReport, DriftStore
from evergreen.ports.lake import Lake
from evergreen.ports.messaging import Received
from evergreen.ports.model import ModelSpec
from evergreen.ports.registry import ModelRegistry
from evergreen.services.drift_rows import feature_rows
from evergreen.services.drift_windows import report_id

TOPICS = ("data.drift.detected",)
log = structlog.get_logger(__name__)


class DriftEvidence:
    def __init__(self, store: DriftStore, lake: Lake, registry: ModelRegistry, pictures: DriftPictures, spec_of: Callable[[str], ModelSpec]) -> None:
        self._store = store
        self._lake = lake
        self._registry = registry
        self._pictures = pictures
        self._spec_of = spec_of

    def of_messages(self, messages: Sequence[Received]) -> tuple[()]:
        """Of each drift the messages tell; what cannot be made is logged. No poison here: intake reads the same topic and owns its dead letters.
        Raises Unavailable when Postgres is away."""
        for message in messages:
            payload = _drift_of(message)
            if payload is not None:
                self._try(report_id(payload.model_version, payload.window))
        return ()

    def _try(self, found: UUID) -> None:
        with self._store.transaction() as tx:
            known = tx.drift_reports.get(found)
        if known is None:
            return
        try:
            self.run(found)
        except EvergreenError as error:
            log.warning("drift_picture_missing", report=str(found), error=str(error))

    def run(self, found: UUID) -> str:
        """URL of the report's picture. Raises NotFound, Unavailable."""
        with self._store.transaction() as tx:
            report = tx.drift_reports.get(found)
            version = None if report is None else tx.versions.get(report.model, report.version)
        if report is None or version is None:
            raise NotFound(f"no drift report {found}")
        if not self._pictures.exists(found):
            body = self._make(report)
            self._attach(report, version.run_id, body)
        return self._pictures.url(found)

    def _make(self, report: DriftReport) -> bytes:
        spec = self._spec_of(report.model)
        watched = list(spec.drift_features)
        sides = [feature_rows(self._lake, spec, *_days(report.features[side])).reindex(columns=watched) for side in ("reference", "current")]
        title = f"{report.model}@{report.version}, {report.first_day} to {report.last_day}"
        return self._pictures.make(report.id, *sides, categorical=spec.categorical_features, title=title)

    def _attach(self, report: DriftReport, run_id: str, body: bytes) -> None:
        try:
            self._registry.attach(run_id, f"drift/{report.first_day}_{report.last_day}.html", body, "text/html")
        except Unavailable as error:
            log.warning("drift_picture_not_attached", report=str(report.id), error=str(error))


def _drift_of(message: Received) -> DataDriftDetected | None:
    try:
        payload = payload_of(decode(message.value or b""))
    except Exception:  # noqa: BLE001 - the edge where messages enter: whatever is wrong with this one, intake says so
        return None
    return payload if isinstance(payload, DataDriftDetected) else None


def _days(side: dict[str, Any]) -> tuple[date, date]:
    return date.fromisoformat(side["first_day"]), date.fromisoformat(side["last_day"])
