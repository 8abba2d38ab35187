"""`evergreen events`: put one on a topic, watch them go by, send recorded ones again."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from evergreen.contracts.envelope import Event
    from evergreen.ports.messaging import Received

app = typer.Typer(help="Publish events, watch topics, send recorded events again.", no_args_is_help=True)


@app.command()
def publish(
    topic: Annotated[str, typer.Argument(help="For example data.ingested.")],
    message: Annotated[str, typer.Argument(help="Flat JSON (event_id, timestamp and key go into the envelope) or a whole CloudEvent; - reads standard input.")],
    event_type: Annotated[str | None, typer.Option("--type", help="Where a topic carries several.")] = None,
    source: Annotated[str, typer.Option(help="Who says so.")] = "/cli",
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Put one event on a topic; returns when Kafka acknowledged it."""
    from evergreen.adapters.kafka import KafkaMessenger
    from evergreen.cli.context import parts
    from evergreen.contracts.envelope import CONTENT_TYPE, encode, stamped
    from evergreen.contracts.topics import payload_of
    from evergreen.core.clock import wall_now
    from evergreen.core.errors import InvalidEvent, PublishFailed
    from evergreen.ports.messaging import Outgoing

    here = parts()
    event = _event(topic, sys.stdin.buffer.read() if message == "-" else message.encode("utf-8", "surrogateescape"), event_type, source, here.clock.now)
    try:
        payload_of(event)
    except InvalidEvent as error:
        typer.echo(f"warning: intake will put this into the dead letters: {error}", err=True)
    body = encode(stamped(event, wall_now()))
    headers = (("content-type", CONTENT_TYPE.encode()),)
    fault = KafkaMessenger(here.settings.kafka).send([Outgoing(0, topic, event.subject.encode(), body, headers)])[0]
    if fault is not None:
        raise PublishFailed(f"{event.type} {event.id} was not acknowledged: {fault.why}; publish it again with the same event_id")
    facts = {"id": event.id, "source": event.source, "type": event.type, "topic": topic, "subject": event.subject, "time": event.time.isoformat()}
    typer.echo(json.dumps(facts) if as_json else f"{event.type} {event.id} is on {topic}")


def _event(topic: str, text: bytes, event_type: str | None, source: str, now: Callable[[], datetime]) -> Event:
    from evergreen.contracts.envelope import decode
    from evergreen.core.errors import InvalidEvent
    from evergreen.services.wrap import type_on, wrap

    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidEvent("bad_json", f"not JSON: {error}") from error
    if not isinstance(content, dict):
        raise InvalidEvent("bad_json", "an event is a JSON object")
    if "specversion" not in content:
        return wrap(topic, content, now=now, event_type=event_type, source=source)
    event = decode(text)
    type_on(topic, event.type)
    return event


@app.command()
def tail(
    topic: Annotated[list[str] | None, typer.Option(help="May be given several times; default: all but the dead letters.")] = None,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="What is there already, too.")] = False,
    until_end: Annotated[bool, typer.Option("--until-end", help="Stop at the newest message instead of waiting for more.")] = False,
    limit: Annotated[int | None, typer.Option(help="Stop after so many.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Print events as they come; Ctrl-C ends it."""
    from evergreen.adapters.kafka_reader import read_topics
    from evergreen.cli.context import parts
    from evergreen.contracts.topics import DEAD_LETTER, TOPICS

    topics = topic or [one.name for one in TOPICS if one.name != DEAD_LETTER]
    messages = read_topics(parts().settings.kafka.bootstrap_servers, topics, from_beginning=from_beginning, until_end=until_end)
    try:
        for message in islice(messages, limit):
            typer.echo(_line(message, as_json=as_json))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def _line(message: Received, *, as_json: bool) -> str:
    from evergreen.contracts.envelope import decode
    from evergreen.core.errors import InvalidEvent

    where: dict[str, Any] = {"topic": message.topic, "partition": message.partition, "offset": message.offset}
    try:
        event = decode(message.value or b"")
    except InvalidEvent as error:
        return json.dumps({**where, "error": error.reason}) if as_json else f"{message.topic}[{message.partition}]@{message.offset}  {error.reason}: {error}"
    if as_json:
        return json.dumps({**where, "event": json.loads(message.value or b"null")}, ensure_ascii=False)
    facts = json.dumps(event.data, ensure_ascii=False)
    return f"{event.time:%Y-%m-%d %H:%M:%S}  {event.type}  {event.subject}  {event.id}  {facts if len(facts) <= 200 else facts[:199] + '…'}"


@app.command()
def replay(
    event_type: Annotated[list[str] | None, typer.Option("--type", help="May be given several times; default: every type.")] = None,
    event_id: Annotated[list[str] | None, typer.Option("--id", help="May be given several times.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="Platform time, from then on: 2026-01-31T09:00:00Z.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Platform time, before then.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be sent; so it is without --yes, too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Send.")] = False,
    new_ids: Annotated[bool, typer.Option("--new-ids", help="As new events, caused by the recorded ones: whoever takes them in acts on them.")] = False,
    bootstrap_servers: Annotated[str | None, typer.Option(help="Another Kafka than this home's.")] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Put recorded control events onto their topics again. With their own ids nothing changes where they are known."""
    from evergreen.cli.context import parts
    from evergreen.cli.replaying import Shown
    from evergreen.contracts.topics import TOPIC_OF
    from evergreen.ports.event_archive import Chosen

    if dry_run and yes:
        raise typer.BadParameter("--dry-run sends nothing, --yes sends: give one of them")
    if unknown := [name for name in event_type or [] if name not in TOPIC_OF]:
        raise typer.BadParameter(f"no topic carries {', '.join(unknown)}; see docs/reference/topics.md")
    chosen = Chosen(tuple(event_type or ()), tuple(event_id or ()), _instant(since), _instant(until))
    republish = parts().people.republish(bootstrap_servers, new_ids=new_ids, send=yes)
    shown = Shown(as_json=as_json, sends=yes)
    shown.end(republish.run(chosen, shown.one))


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no time; write for example 2026-01-31T09:00:00Z") from error
    if at.utcoffset() is None:
        raise typer.BadParameter(f"{text!r} has no time zone; write for example 2026-01-31T09:00:00Z")
    return at
