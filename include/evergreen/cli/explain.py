"""`evergreen explain`: why something was done, or was not."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer


def register(app: typer.Typer) -> None:
    app.command()(explain)


def explain(name: Annotated[str, typer.Argument(help="The id of an event or of an action.")], as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """The event, how its severity came about, each guard, and what became of the action."""
    from evergreen.cli.context import parts
    from evergreen.services.explain import Explain

    story = Explain(parts().store).run(name)
    typer.echo(json.dumps(story, ensure_ascii=False) if as_json else "\n".join(told(story)))


def told(story: dict[str, Any]) -> list[str]:
    lines = []
    for event in story["events"]:
        lines.append(
            f"event {event['type']} of {event['subject']} at {event['time']} ({event['id']} from {event['source']}, {event['message'] or 'made here'})"
        )
        for decision in story["decisions"]:
            if decision["event"]["id"] == event["id"]:
                lines += decided(decision)
    for action in story["actions"]:
        lines.append(f"action {action['kind']} of {action['target']}: {action['status']} ({action['id']}, {action['reason']}, attempts {action['attempts']})")
        lines += [f"  run {action['run_id']}"] * bool(action["run_id"]) + [f"  error: {action['error']}"] * bool(action["error"])
        lines += [f"  result: {json.dumps(action['result'], ensure_ascii=False)}"] * bool(action["result"])
    return lines


def decided(decision: dict[str, Any]) -> list[str]:
    """Of one decision, from its body."""
    severity = decision["severity"]
    lines = [f"  decision {decision.get('decision', decision['model'])}: {severity['final']} ({' → '.join(severity['path'])}), rule {decision['rule']}"]
    lines += [f"    note: {note}" for note in decision["notes"]]
    for answer in decision["answers"]:
        until = f", allowed again at {answer['allowed_at']}" if answer.get("allowed_at") else ""
        lines.append(f"    {answer['action']} of {answer['target']}: {answer['outcome']} ({answer['reason']}){until}")
        lines += [f"      {guard['guard']}: {'passed' if guard['passed'] else 'stopped'} {guard['detail']}".rstrip() for guard in answer["guards"]]
    return lines
