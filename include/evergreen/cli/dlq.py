"""`evergreen dlq`: what could not be handled, and how it goes back."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from evergreen.bootstrap import Parts
    from evergreen.services.dead_letters import DeadLetter

app = typer.Typer(help="Dead letters: list them, look at one, send them back to their topic.", no_args_is_help=True)


@app.command("list")
def list_letters(
    reason: Annotated[str | None, typer.Option(help="Only this reason, for example bad_json.")] = None,
    limit: Annotated[int, typer.Option(help="The newest so many.")] = 100,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those that were not sent back.")] = False,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """The newest dead letters with their reasons."""
    from evergreen.cli.context import parts

    here = parts()
    done = _redriven(here)
    letters = [one for one in _letters(here) if reason in (None, one.facts.get("reason")) and not (waiting and one.id in done)][-limit:]
    if as_json:
        typer.echo(json.dumps([_facts(one, done) for one in letters]))
        return
    for one in letters:
        facts = one.facts
        where = f"{facts.get('source_topic', '?')}[{facts.get('source_partition', '?')}]@{facts.get('source_offset', '?')}"
        typer.echo(f"{one.id}  {facts.get('reason', '?')}  {where}  {facts.get('detail', '')}{'  (sent back)' if one.id in done else ''}")
    if not letters:
        typer.echo("no dead letters")


@app.command()
def show(letter_id: Annotated[str, typer.Argument(help="As `dlq list` names it.")], as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """One dead letter whole: its reason, its headers, its bytes."""
    from evergreen.cli.context import parts

    here = parts()
    letter = _letter(here, letter_id)
    facts = {**_facts(letter, _redriven(here)), **_content(letter)}
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
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Send letters back to the topic they came from: byte for byte, or repaired."""
    from evergreen.adapters.kafka import KafkaMessenger
    from evergreen.cli.context import parts
    from evergreen.core.errors import NotFound, PublishFailed
    from evergreen.services import dead_letters

    here = parts()
    letters = _chosen(here, letter_ids or [], every=every, reason=reason)
    if not letters and not every:
        raise NotFound("name a dead letter (`evergreen dlq list`) or give --all")
    body, fields = None if value is None else value.encode(), dict(_change(one) for one in changes or [])
    outgoing = [dead_letters.redrive(letter, changes=fields, value=body) for letter in letters]
    faults = KafkaMessenger(here.settings.kafka).send(outgoing)
    sent = [(letter, message) for letter, message, fault in zip(letters, outgoing, faults, strict=True) if fault is None]
    with here.store.transaction() as tx:
        for letter, message in sent:
            tx.redriven.mark(letter.id, message.topic, changed=message.value != letter.value)
    if as_json:
        typer.echo(json.dumps([{"id": letter.id, "topic": message.topic, "changed": message.value != letter.value} for letter, message in sent]))
    else:
        for letter, message in sent:
            typer.echo(f"{letter.id} is back on {message.topic}{', repaired' if message.value != letter.value else ''}")
    if len(sent) < len(letters):
        raise PublishFailed(f"{len(letters) - len(sent)} of {len(letters)} were not acknowledged: {next(fault.why for fault in faults if fault)}")


def _chosen(here: Parts, letter_ids: list[str], *, every: bool, reason: str | None) -> list[DeadLetter]:
    if not every:
        return [_letter(here, one) for one in dict.fromkeys(letter_ids)]
    done = _redriven(here)
    waiting = [one for one in _letters(here) if one.id not in done and reason in (None, one.facts.get("reason"))]
    for one in waiting:
        if not one.source_topic:
            typer.echo(f"warning: {one.id} stays: it does not say which topic it came from", err=True)
    return [one for one in waiting if one.source_topic]


def _letters(here: Parts) -> list[DeadLetter]:
    from evergreen.adapters.kafka_reader import read_topics
    from evergreen.contracts.topics import DEAD_LETTER
    from evergreen.services.dead_letters import read_letter

    messages = read_topics(here.settings.kafka.bootstrap_servers, [DEAD_LETTER], from_beginning=True, until_end=True)
    letters: dict[str, DeadLetter] = {}
    for message in sorted(messages, key=lambda one: (one.sent_at or one.received_at, one.partition, one.offset)):
        letter = read_letter(message)
        # Of a topic with two readers each writes the letter, but Airflow's does not know the headers.
        letters[letter.id] = max(letter, letters.get(letter.id, letter), key=lambda one: len(one.original))
    return list(letters.values())


def _letter(here: Parts, letter_id: str) -> DeadLetter:
    from evergreen.core.errors import NotFound

    letters = _letters(here)
    found = [one for one in letters if one.id == letter_id] or [one for one in letters if one.id.startswith(letter_id)]
    if len(found) != 1:
        raise NotFound(f"{'no' if not found else len(found)} dead letters named {letter_id}")
    return found[0]


def _redriven(here: Parts) -> Mapping[str, datetime]:
    with here.store.transaction() as tx:
        return tx.redriven.all()


def _facts(letter: DeadLetter, done: Mapping[str, datetime]) -> dict[str, Any]:
    at = done.get(letter.id)
    where = {"partition": letter.partition, "offset": letter.offset}
    facts = {name: value for name, value in letter.facts.items() if name != "dead_letter_id"}
    return {"id": letter.id, **facts, "dead_letter": where, "size": len(letter.value or b""), "redriven_at": None if at is None else at.isoformat()}


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
