"""`evergreen explain`: why something was done, or was not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evergreen.cli.tables import estimate_lines

if TYPE_CHECKING:
    from evergreen.contracts.api_records import ActionFate, ApprovalSaid, DeploymentSaid, EventRecord, Explanation


def register(app: typer.Typer) -> None:
    app.command()(explain)


def explain(
    name: Annotated[str, typer.Argument(help="The id of an action or an event, or a decision as model/seq.")],
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Why something was done, or was not: what happened, what was decided on it by which guards, what became of it."""
    from evergreen.cli.context import parts

    found = parts().people.explain.run(name)
    typer.echo(found.model_dump_json() if as_json else "\n".join(told(found)))


def told(found: Explanation) -> list[str]:
    lines = [found.says]
    for title, section in (("What happened", _happened(found)), ("What was decided", _decided(found)), ("What became of it", _became(found))):
        if section:
            lines += ["", title, *(f"  {line}" for line in section)]
    return lines


def _happened(found: Explanation) -> list[str]:
    lines = []
    for event in found.events:
        lines += _event(event)
        columns = [one for one in found.drifted if one.event_id == event.id]
        lines += [f"  drifted: {one.name} by {one.effect:.3f}{_q(one.q_value)} {one.direction}".rstrip() for one in columns]
    if found.dead_letter is not None:
        lines += [f"{name}: {value}" for name, value in found.dead_letter.items()]
    return lines


def _q(value: float | None) -> str:
    return "" if value is None else f" (q {value:.2g})"


def _event(event: EventRecord) -> list[str]:
    where = event.message or "made here"
    return [f"{event.type} of {event.subject} at {event.time.isoformat()}", f"  {event.id} from {event.source}, {where}"]


def _decided(found: Explanation) -> list[str]:
    lines = []
    for decision in found.decisions:
        lines += decided(decision)
        lines += [f"  → {answer.says}" for answer in found.answers if answer.decision == decision["decision"]]
    return lines


def decided(decision: Mapping[str, Any]) -> list[str]:
    """Of one decision, from its body."""
    severity = decision.get("severity") or {}
    path = " → ".join(severity.get("path", []))
    lines = [f"  decision {decision.get('decision', decision.get('model'))}: {severity.get('final')} ({path}), rule {decision.get('rule')}"]
    lines += [f"    note: {note}" for note in decision.get("notes", [])]
    for answer in decision.get("answers", []):
        until = f", allowed again at {answer['allowed_at']}" if answer.get("allowed_at") else ""
        lines.append(f"    {answer['action']} of {answer['target']}: {answer['outcome']} ({answer['reason']}){until}")
        lines += [f"      {guard['guard']}: {'passed' if guard['passed'] else 'stopped'} {guard['detail']}".rstrip() for guard in answer["guards"]]
    return lines


def _became(found: Explanation) -> list[str]:
    return [line for action in found.actions for line in _action(action)]


def _action(action: ActionFate) -> list[str]:
    lines = [f"{action.kind} of {action.target}: {action.status}, {action.severity}, because of {action.reason} ({action.id})"]
    if action.run_url:
        lines.append(f"  run {action.run_id}, attempt {action.attempts}: {action.run_url}")
    if "requested_by" in action.params:
        lines.append(f"  asked for by {action.params['requested_by']}: {action.params.get('reason', '')}")
    lines += [f"  {_approval(one)}" for one in action.approvals]
    lines += [f"  gate {gate['name']}: {'passed' if gate['passed'] else 'FAILED'} {gate['detail']}" for gate in action.gates]
    lines += [line for one in action.deployments for line in _deployment(one)]
    lines += [line for name, value in (action.result or {}).items() for line in _result(name, value)]
    lines += [f"  error: {action.error}"] * bool(action.error)
    return lines + [f"  said {event.type} at {event.time.isoformat()} ({event.id})" for event in action.results]


def _result(name: str, value: Any) -> list[str]:
    if name != "estimated":
        return [f"  result: {name} {value}"]
    said, caveat = estimate_lines(value)
    return [f"  estimated: {said}", f"    {caveat}"]


def _approval(one: ApprovalSaid) -> str:
    asked = f"asked at {one.asked_at.isoformat()} until {one.until.isoformat()}"
    if one.answered_at is None:
        return f"{asked}: not answered yet; {one.by_default} by default"
    return f"{asked}: {one.answer}, {one.how}{f' {one.who}' if one.who else ''} at {one.answered_at.isoformat()} {one.comment}".rstrip()


def _deployment(one: DeploymentSaid) -> list[str]:
    since = f", serving from {one.served_from.isoformat()}" if one.served_from else ""
    why = f": {one.error}" if one.error else ""
    lines = [f"  {one.kind} of {one.version}, epoch {one.epoch}: {one.status}{since}{why}"]
    return lines + [f"    {ack.worker} {ack.phase} at {ack.at.isoformat()} {ack.detail}".rstrip() for ack in one.confirmations]
