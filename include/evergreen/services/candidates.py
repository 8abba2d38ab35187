"""From a candidate to a registered version: what retrain and a submission share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from evergreen.contracts.actions import Action
from evergreen.contracts.events import ModelTrainingCompleted, Window
from evergreen.ports.model import ModelSpec
from evergreen.ports.registry import NewVersion, RegisteredVersion
from evergreen.ports.versions import VersionRow
from evergreen.services.training import Candidate


@dataclass(frozen=True)
class Origin:
    """Why and for whom a version is made."""

    action_id: UUID
    cause: str
    as_of: datetime
    traceparent: str = ""
    causes: str = ""
    """The causing events, as `type id`, joined by commas."""

    @classmethod
    def of(cls, action: Action) -> Origin:
        causes = ", ".join(f"{cause.type} {cause.id}" for cause in action.causes)
        return cls(action.id, action.reason, action.as_of, action.traceparent, causes)


def new_version(spec: ModelSpec, candidate: Candidate, origin: Origin, cost_seconds: float) -> NewVersion:
    window = candidate.window
    tags = {
        "evergreen.cause": origin.cause,
        "evergreen.causes": origin.causes,
        "evergreen.window": f"{window.train_first}..{window.train_last}",
        "evergreen.evaluation_window": f"{window.evaluation_first}..{window.evaluation_last}",
        "evergreen.as_of": origin.as_of.isoformat(),
        "evergreen.rows": str(candidate.rows),
        "evergreen.cost_seconds": f"{cost_seconds:.2f}",
        "evergreen.dataset_hash": candidate.dataset_hash,
        "evergreen.traceparent": origin.traceparent,
    }
    params = {
        "trained_from": str(window.train_first),
        "trained_to": str(window.train_last),
        "change_point": str(window.change_point or ""),
        "seed": str(candidate.fitted.card.get("seed", "")),
        "features": ",".join(spec.feature_names),
    }
    return NewVersion(
        action_id=str(origin.action_id),
        spec=spec,
        fitted=candidate.fitted,
        example=candidate.train,
        params=params,
        metrics={**candidate.metrics, "cost_seconds": cost_seconds},
        tags={key: value for key, value in tags.items() if value},
        summary=_summary(candidate, cost_seconds),
    )


def _summary(candidate: Candidate, cost_seconds: float) -> dict[str, Any]:
    """What a repeated step needs to write the same row and event without training again."""
    window = candidate.window
    return {
        "trained_from": str(window.train_first),
        "trained_to": str(window.train_last),
        "rows": candidate.rows,
        "metrics": candidate.metrics,
        "cost_seconds": round(cost_seconds, 3),
    }


def version_row(registered: RegisteredVersion, origin: Origin) -> VersionRow:
    summary = registered.summary
    return VersionRow(
        model=registered.model,
        version=registered.version,
        action_id=origin.action_id,
        run_id=registered.run_id,
        uri=registered.uri,
        cause=origin.cause,
        trained_from=date.fromisoformat(summary["trained_from"]),
        trained_to=date.fromisoformat(summary["trained_to"]),
        trained_rows=summary["rows"],
        as_of=origin.as_of,
        metrics=summary["metrics"],
        cost_seconds=summary["cost_seconds"],
    )


def completed_payload(row: VersionRow) -> ModelTrainingCompleted:
    return ModelTrainingCompleted(
        model_name=row.model,
        model_version=row.name,
        reason=row.cause,
        window=Window(first_day=row.trained_from, last_day=row.trained_to),
        rows=row.trained_rows,
        metrics=dict(row.metrics),
        cost_seconds=row.cost_seconds,
        run_id=row.run_id,
    )


def told(row: VersionRow) -> Mapping[str, Any]:
    """An action's result."""
    return {"model_version": row.name, "run_id": row.run_id, "rows": row.trained_rows, "metrics": dict(row.metrics), "cost_seconds": row.cost_seconds}
