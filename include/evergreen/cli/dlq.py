"""`evergreen dlq`: what could not be handled, and how it goes back."""

from __future__ import annotations

import base64
import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from evergreen.services.dead_letters import DeadLetter
    from evergreen.services.redrive import Listed, RedriveLetters

app = typer.Typer(help="Dead letters: list them, look at one, send them back to their topic.", no_args_is_help=True)


@app.command("list")
def list_letters(
    reason: Annotated[str | None, typer.Option(help="Only this reason, for example bad_json.")] = None,
    limit: Annotated[int, typer.Option(help="The newest so many.")] = 100,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those that were not sent back.")] = False,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """The newest dead letters with their reasons."""
    listed = _desk().listed(limit, reason=reason, waiting=waiting)
    if as_json:
        typer.echo(json.dumps([_facts(one) for one in listed]))
        return
    for one in listed:
        facts = one.letter.facts
        where = f"{facts.get('source_topic', '?')}[{facts.get('source_partition', '?')}]@{facts.get('source_offset', '?')}"
        typer.echo(f"{one.letter.id}  {facts.get('reason', '?')}  {where}  {facts.get('detail', '')}{'  (sent back)' if one.redriven_at else ''}")
    if not listed:
        typer.echo("no dead letters")


@app.command()
def show(letter_id: Annotated[str, typer.Argument(help="As `dlq list` names it.")], as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """One dead letter whole: its reason, its headers, its bytes."""
    found = _desk().one(letter_id)
    facts = {**_facts(found), **_content(found.letter)}
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False))
        return
    for name, value in facts.items():
        typer.echo(f"{name}: {value}")


@app.command()
def redrive(
    letter_ids: Annotated[list[str] | None, typer.Argument(help="As `dlq list` names them.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every letter that was not sent back yet.")] = False,
    reason: Annotated[str | None, typer.Option(help="With --all: only this reason.")] = None,
    changes: Annotated[list[str] | None, typer.Option("--set", help="Repair a field of its JSON: data.rows=3 (the value is JSON, else a text).")] = None,
    value: Annotated[str | None, typer.Option(help="A whole new value instead of the original bytes.")] = None,
    why: Annotated[str, typer.Option(help="Recorded with it.")] = "",
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Send letters back to the topic they came from: byte for byte, or repaired."""
    from evergreen.cli.context import whoever
    from evergreen.core.errors import NotFound

    desk = _desk()
    letters = _every(desk, reason) if every else desk.named(letter_ids or [])
    if not letters and not every:
        raise NotFound("name a dead letter (`evergreen dlq list`) or give --all")
    body, fields = None if value is None else value.encode(), dict(_change(one) for one in changes or [])
    sent, fault = desk.send_back(letters, who=whoever(), reason=why, changes=fields, value=body)
    if as_json:
        typer.echo(json.dumps([vars(one) for one in sent]))
    else:
        for one in sent:
            typer.echo(f"{one.id} is back on {one.topic}{', repaired' if one.changed else ''}")
    if fault is not None:
        raise fault


def _desk() -> RedriveLetters:
    from evergreen.cli.context import parts

    return parts().people.redrive_letters


def _every(desk: RedriveLetters, reason: str | None) -> list[DeadLetter]:
    waiting = desk.waiting(sys.maxsize, reason)
    for one in waiting:
        if not one.source_topic:
            typer.echo(f"warning: {one.id} stays: it does not say which topic it came from", err=True)
    return [one for one in waiting if one.source_topic]


def _facts(found: Listed) -> dict[str, Any]:
    letter, at = found.letter, found.redriven_at
    where = {"partition": letter.partition, "offset": letter.offset}
    facts = {name: value for name, value in letter.facts.items() if name != "dead_letter_id"}
    return {"id": letter.id, **facts, "dead_letter": where, "size": found.size, "redriven_at": None if at is None else at.isoformat()}


def _content(letter: DeadLetter) -> dict[str, Any]:
    return {
        "key": None if letter.key is None else letter.key.decode("utf-8", "backslashreplace"),
        "headers": [[name, None if value is None else value.decode("utf-8", "backslashreplace")] for name, value in letter.original],
        "value": None if letter.value is None else letter.value.decode("utf-8", "backslashreplace"),
        "value_base64": None if letter.value is None else base64.b64encode(letter.value).decode(),
    }


def _change(text: str) -> tuple[str, Any]:
    name, found, value = text.partition("=")
    if not found or not name:
        raise typer.BadParameter(f"{text!r}: write FIELD=VALUE, for example data.rows=3")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
