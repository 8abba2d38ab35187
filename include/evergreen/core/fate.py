"""What became of an action: run, answers of people, gates, deployment with each worker's word, resulting events. Pure, over rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evergreen.contracts.actions import NO_MODEL
from evergreen.contracts.api_records import ActionFate, ActionSummary, ApprovalSaid, Confirmation, DeploymentSaid, EventRecord

Row = Mapping[str, Any]
_TIMES = ("created_at", "claimed_at", "started_at", "finished_at")


@dataclass(frozen=True)
class Related:
    """Rows around actions, by column `action_id`; `acks` by `deployment_id`; `results` are events."""

    approvals: Sequence[Row] = ()
    deployments: Sequence[Row] = ()
    acks: Sequence[Row] = ()
    versions: Sequence[Row] = ()
    drift_reports: Sequence[Row] = ()
    results: Sequence[tuple[str, EventRecord]] = ()
    """(action id, event)."""


def summary_of(row: Row) -> ActionSummary:
    return ActionSummary(**_summary(row))


def _summary(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in ActionSummary.model_fields if name != "id"} | {"id": str(row["id"])}


def fate_of(row: Row, related: Related, run_url: str | None) -> ActionFate:
    action_id = str(row["id"])
    version = _version(row, related)
    return ActionFate(
        **_summary(row),
        **{name: row.get(name) for name in _TIMES},
        params=row["params"],
        as_of=row["as_of"],
        decision=None if row["decision_seq"] is None else f"{row['model']}/{row['decision_seq']}",
        causes=list(row["causes"]),
        result=row["result"],
        run_url=run_url,
        approvals=[ApprovalSaid(**{name: one[name] for name in ApprovalSaid.model_fields}) for one in _of(related.approvals, action_id)],
        version=None if version is None else f"{version['model']}@{version['version']}",
        gates=list((version["scorecard"] or {}).get("gates", [])) if version else [],
        deployments=[_deployment(one, related.acks) for one in _of(related.deployments, action_id)],
        results=[event for made_by, event in related.results if made_by == action_id],
    )


def named_version(row: Row) -> str | None:
    """As the action itself names it: its target, or what its result says."""
    target = (row["result"] or {}).get("model_version") or row["target"]
    return str(target) if row["model"] != NO_MODEL and "@" in str(target) else None


def _version(row: Row, related: Related) -> Row | None:
    made = _of(related.versions, str(row["id"]))
    named = [one for one in related.versions if f"{one['model']}@{one['version']}" == named_version(row)]
    return next(iter([*made, *named]), None)


def _of(rows: Sequence[Row], action_id: str) -> list[Row]:
    return [row for row in rows if str(row["action_id"]) == action_id]


def _deployment(row: Row, acks: Sequence[Row]) -> DeploymentSaid:
    same = {name: row[name] for name in ("kind", "status", "epoch", "forced", "reason", "served_from", "served_to", "error")}
    said = [ack for ack in acks if ack["deployment_id"] == row["id"]]
    return DeploymentSaid(
        **same,
        id=str(row["id"]),
        version=f"{row['model']}@{row['version']}",
        previous_version=None if row["previous_version"] is None else f"{row['model']}@{row['previous_version']}",
        workers=list(row["required_workers"]),
        confirmations=[Confirmation(worker=ack["worker_id"], phase=ack["phase"], at=ack["at"], detail=ack["detail"]) for ack in said],
    )
