"""From the flat JSON a person types to an event in its envelope."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from evergreen.contracts.envelope import Event, decode, new_id
from evergreen.contracts.events import Payload
from evergreen.contracts.topics import DEAD_LETTER, TOPIC_OF, TOPICS
from evergreen.core.errors import InvalidEvent, NotFound

_SUBJECTS = ("dataset", "model_name", "model_version", "service_name", "user_id", "entity", "model")


def wrap(topic: str, flat: Mapping[str, Any], *, now: Callable[[], datetime], event_type: str | None = None, source: str = "/cli") -> Event:
    """`event_id` -> id, `timestamp` -> time, `key` -> subject; the rest is the payload, which is not checked here: intake does that.
    A field the payload itself has (a system alert's timestamp) stays in it. `now` is asked only when no time is given.
    Raises NotFound for a topic or type that does not exist, InvalidEvent when a time cannot be read or a name has no place in an envelope."""
    data = dict(flat)
    named = data.pop("event_type", None)
    if not isinstance(named, str | None):
        raise InvalidEvent("schema_violation", f"event_type {named!r} is no text")
    name, payload = type_on(topic, event_type or named)
    given = data.get("timestamp") if "timestamp" in payload.model_fields else data.pop("timestamp", None)
    try:
        return Event(
            id=str(data.pop("event_id", None) or new_id()),
            source=str(data.pop("event_source", None) or source),
            type=name,
            subject=str(data.pop("key", None) or _subject(data)),
            time=_time(given) if given is not None else now(),
            data=data,
        )
    except ValidationError as error:
        raise InvalidEvent("schema_violation", "; ".join(f"{fault['loc'][0]}: {fault['msg']}" for fault in error.errors())) from error


def unwrapped(said: bytes, *, now: Callable[[], datetime]) -> Event:
    """A CloudEvent, or flat JSON that names its `event_type`. Raises InvalidEvent, NotFound."""
    try:
        flat = json.loads(said)
    except (ValueError, RecursionError):
        flat = None
    if not isinstance(flat, dict) or "specversion" in flat or not isinstance(flat.get("event_type"), str):
        return decode(said)
    topic = TOPIC_OF.get(flat["event_type"])
    if topic is None:
        raise InvalidEvent("unknown_type", f"no event type {flat['event_type']!r} on any topic; known: {', '.join(sorted(TOPIC_OF))}")
    return wrap(topic, flat, now=now)


def type_on(topic: str, name: str | None) -> tuple[str, type[Payload]]:
    """The type and its payload; without a name, the topic's only one. Raises NotFound when the topic does not carry it."""
    found = next((one for one in TOPICS if one.name == topic), None)
    if found is None or topic == DEAD_LETTER:
        raise NotFound(f"no topic {topic!r} to publish on; there are: {', '.join(one.name for one in TOPICS if one.types)}")
    if name is None:
        if len(found.types) > 1:
            raise NotFound(f"{topic} carries {', '.join(found.types)}; say which with --type")
        name = next(iter(found.types))
    if name not in found.types:
        raise NotFound(f"{topic} does not carry {name!r} but {', '.join(found.types)}")
    return name, found.types[name]


def _subject(data: Mapping[str, Any]) -> str:
    for field in _SUBJECTS:
        if data.get(field):
            return str(data[field]).partition("@")[0]
    return "-"


def _time(given: object) -> datetime:
    try:
        at = datetime.fromisoformat(str(given))
    except ValueError as error:
        raise InvalidEvent("schema_violation", f"timestamp {given!r} is no RFC 3339 time") from error
    if at.utcoffset() is None:
        raise InvalidEvent("naive_time", f"timestamp {given!r} has no time zone; write for example 2026-01-31T09:00:00Z")
    return at
