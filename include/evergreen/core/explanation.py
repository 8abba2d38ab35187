"""From recorded rows to why something was done, or was not. Pure: the command line and serving look the rows up each in its way.

Rows are dictionaries named as the tables' columns. Bodies of decisions are read with care: a later policy may say more in them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote

from evergreen.contracts.actions import DAG_KINDS, ActionKind
from evergreen.contracts.api_records import ActionFate, AnswerSaid, AnswerShort, DriftedColumn, EventRecord, Explanation
from evergreen.contracts.envelope import derived_id
from evergreen.core.fate import Related, fate_of

Row = Mapping[str, Any]
About = Literal["action", "event", "decision"]
RESULTING = (
    *("action_requested", "action_completed", "action_failed", "data_processed", "data_quality_issue", "data_drift_detected"),
    *("model_performance_degraded", "model_training_started", "model_training_completed", "model_evaluation_completed", "model_deployed"),
)
"""Types an action results in; their ids follow from the action's (`carry_out.resulting_event`)."""


@dataclass(frozen=True)
class Found:
    """Everything recorded around one name; no rows: nothing goes by it."""

    about: About
    id: str
    events: Sequence[Row] = ()
    decisions: Sequence[Row] = ()
    actions: Sequence[Row] = ()
    related: Related = field(default_factory=Related)

    @property
    def is_empty(self) -> bool:
        return not (self.events or self.decisions or self.actions)


def resulting_ids(action: Row, related: Related) -> list[str]:
    """Ids of the events it may have resulted in: those that exist are its."""
    action_id = str(action["id"])
    numbers = [str(row["version"]) for row in related.versions if str(row["action_id"]) == action_id]
    others = [str(row["id"]) for row in (*related.deployments, *related.drift_reports) if str(row["action_id"]) == action_id]
    targets = dict.fromkeys([action_id, action["target"], action["model"], *numbers, *others])
    return [derived_id(action_id, "action_requested"), *(derived_id(action_id, name, target) for name in RESULTING for target in targets)]


def explain(found: Found, airflow_url: str) -> Explanation:
    answers = [said for row in found.decisions for said in answers_of(row)]
    actions = [fate_of(row, found.related, _run_url(airflow_url, row)) for row in found.actions]
    return Explanation(
        about=found.about,
        id=found.id,
        says=_in_one_sentence(found, answers, actions),
        events=[event_record(row) for row in found.events],
        drifted=[column for row in found.events for column in _drifted(row)],
        answers=answers,
        decisions=[_decision(row) for row in found.decisions],
        actions=actions,
    )


def event_record(row: Row) -> EventRecord:
    where = None if row["topic"] is None else f"{row['topic']}[{row['kafka_partition']}]@{row['kafka_offset']}"
    facts = {name: row[name] for name in ("id", "source", "type", "subject", "time", "data", "received_at")}
    return EventRecord(**facts, message=where)


def _run_url(airflow_url: str, action: Row) -> str | None:
    """None for what no DAG carries out: a scaling, an alert."""
    if not action["run_id"] or action["kind"] not in DAG_KINDS:
        return None
    return f"{airflow_url}/dags/{quote(action['kind'])}/runs/{quote(action['run_id'], safe='')}"


def _drifted(event: Row) -> list[DriftedColumn]:
    if event["type"] != "data_drift_detected":
        return []
    columns = event["data"].get("affected_features", [])
    return [
        DriftedColumn(event_id=event["id"], name=one["name"], effect=one["effect"], q_value=one.get("q_value"), direction=one.get("direction", ""))
        for one in sorted(columns, key=lambda one: -float(one["effect"]))
    ]


def _decision(row: Row) -> dict[str, Any]:
    return {"decision": f"{row['model']}/{row['seq']}", "recorded_at": row["recorded_at"].isoformat(), "hash": row["hash"], **read_body(row)}


def read_body(row: Row) -> dict[str, Any]:
    """A body somebody changed by hand may be anything: `evergreen policy verify` names it."""
    try:
        body = json.loads(row["body"])
    except ValueError:
        body = None
    return body if isinstance(body, dict) else {}


def short_answers(row: Row) -> list[AnswerShort]:
    """Of a decision, for a list of them."""
    said = answers_of(row)
    return [AnswerShort(action=one.action, target=one.target, outcome=one.outcome, stopped_by=one.stopped_by) for one in said]


def answers_of(row: Row) -> list[AnswerSaid]:
    found = [one for one in read_body(row).get("answers", []) if isinstance(one, dict)]
    return [_answer(row, one) for one in found]


def _answer(row: Row, answer: Mapping[str, Any]) -> AnswerSaid:
    stopping = next((one for one in reversed(answer.get("guards", [])) if not one.get("passed", True)), None)
    return AnswerSaid(
        decision=f"{row['model']}/{row['seq']}",
        event_id=row["event_id"],
        action=str(answer.get("action")),
        target=str(answer.get("target")),
        outcome=str(answer.get("outcome")),
        says=_says(answer, stopping, read_body(row).get("notes") or []),
        stopped_by=None if stopping is None else stopping.get("guard"),
        allowed_at=_time(answer.get("allowed_at")),
        due_at=_time(answer.get("due_at")),
        action_id=answer.get("action_id"),
    )


def _says(answer: Mapping[str, Any], stopping: Mapping[str, Any] | None, notes: Sequence[str]) -> str:
    what = f"{answer.get('action')} of {answer.get('target')}"
    outcome, reason = answer.get("outcome"), answer.get("reason")
    if answer.get("action") == ActionKind.IGNORE:
        return f"ignored: the policy has nothing to do for it ({reason})"
    because = " (the policy has no row for this type)" if "no_rule" in notes else f" because of {reason}"
    if outcome == "absorbed":
        return f"{what}: absorbed by action {answer.get('action_id')} ({(stopping or {}).get('detail', '')})"
    if stopping is None:
        return f"{what}: {outcome}{because}"
    until = f"; allowed again at {answer['allowed_at']}" if answer.get("allowed_at") else ""
    later = f"; put off to {answer['due_at']}" if answer.get("due_at") and outcome != "accepted" else ""
    return f"{what}: {outcome} by {stopping.get('guard')} ({stopping.get('detail', '')}){until}{later}"


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _in_one_sentence(found: Found, answers: Sequence[AnswerSaid], actions: Sequence[ActionFate]) -> str:
    if found.about == "action" and actions:
        action = actions[0]
        why = f": {action.error}" if action.error else ""
        return f"{action.kind} of {action.target} because of {action.reason} is {action.status}{why}"
    if not answers:
        return "recorded; nothing was decided on it"
    done = [one for one in answers if one.outcome == "accepted"]
    told = "; ".join(one.says for one in answers)
    return told if done else f"nothing was done: {told}"
