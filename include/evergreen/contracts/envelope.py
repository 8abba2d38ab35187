"""CloudEvents 1.0, JSON structured mode: the one form in which anything leaves a process through Kafka."""

from __future__ import annotations

import hashlib
import json
import math
import re
from datetime import datetime, timedelta
from typing import Any

from cloudevents.core.exceptions import CloudEventValidationError
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from evergreen.contracts.errors import InvalidEvent
from evergreen.contracts.ids import MAX_BYTES as MAX_BYTES
from evergreen.contracts.ids import NAMESPACE as NAMESPACE
from evergreen.contracts.ids import SCHEMA_URI as SCHEMA_URI
from evergreen.contracts.ids import canonical_json as canonical_json
from evergreen.contracts.ids import derived_id as derived_id
from evergreen.contracts.ids import new_id as new_id

CONTENT_TYPE = "application/cloudevents+json"
MAX_DEPTH = 100
"""Of nested objects and lists: deeper ones exceed what readers can recurse into."""
_FORMAT = JSONFormat()
_UNFIT = re.compile("[\x00\ud800-\udfff]")
_CORE = frozenset({"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema"})


class Event(BaseModel):
    """One event. `time` is platform time; wall-clock stamps travel as extensions (`producedwall`) and are the only source of latencies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1, max_length=64)
    source: str = Field(min_length=1, max_length=256)
    type: str = Field(min_length=1, max_length=64)
    subject: str = Field(min_length=1, max_length=256)
    time: AwareDatetime
    data: dict[str, Any]
    extensions: dict[str, str] = {}
    """Lower-case names: `traceparent`, `producedwall`, `correlationid`."""

    @property
    def schema_uri(self) -> str:
        return SCHEMA_URI.format(type=self.type)

    def content_hash(self) -> str:
        """SHA-256 over what the producer said (not its stamps): the same id with another hash is `id_reused`."""
        said = {"type": self.type, "subject": self.subject, "time": self.time.isoformat(), "data": self.data}
        return hashlib.sha256(canonical_json(said)).hexdigest()


def stamped(event: Event, wall: datetime) -> Event:
    """With the wall-clock instant it was produced at, unless a producer before us said so."""
    if "producedwall" in event.extensions:
        return event
    return event.model_copy(update={"extensions": {**event.extensions, "producedwall": wall.isoformat()}})


def encode(event: Event) -> bytes:
    """Raises InvalidEvent `oversize` or `schema_violation` (NaN/Infinity have no JSON form)."""
    attributes: dict[str, Any] = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": event.time,
        "datacontenttype": "application/json",
        "dataschema": event.schema_uri,
        **event.extensions,
    }
    _refuse_unfit([event.data, attributes])
    body = _FORMAT.write(CloudEvent(attributes, event.data))
    if len(body) > MAX_BYTES:
        raise InvalidEvent("oversize", f"event {event.id} has {len(body)} bytes, the limit is {MAX_BYTES}")
    return body


def decode(body: bytes) -> Event:
    """Bytes from a topic -> Event. Raises InvalidEvent with one of the reasons
    `oversize`, `bad_utf8`, `bad_json`, `not_cloudevents`, `naive_time`, `schema_violation`."""
    if len(body) > MAX_BYTES:
        raise InvalidEvent("oversize", f"{len(body)} bytes, the limit is {MAX_BYTES}")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidEvent("bad_utf8", f"not UTF-8 at byte {error.start}") from error
    try:
        raw = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidEvent("bad_json", f"not JSON: {error}") from error
    if not isinstance(raw, dict) or raw.get("specversion") != "1.0":
        raise InvalidEvent("not_cloudevents", "no CloudEvents 1.0 envelope; `evergreen events publish` wraps flat JSON")
    _refuse_unfit(raw, "bad_json")
    return _from_attributes(text, raw)


def _from_attributes(text: str, raw: dict[str, Any]) -> Event:
    # The library fills in a missing id and time: another id at each redelivery, and the reader's clock.
    if raw.get("id") is None:
        raise InvalidEvent("not_cloudevents", "id is missing")
    if raw.get("time") is None:
        raise InvalidEvent("schema_violation", "time is missing")
    try:
        parsed = _FORMAT.read(CloudEvent, text)
    except (CloudEventValidationError, ValueError, TypeError, AttributeError, OverflowError) as error:
        if "time" in raw and "timezone" in str(error).lower():
            raise InvalidEvent("naive_time", f"time {raw['time']!r} has no time zone") from error
        raise InvalidEvent("not_cloudevents", f"not a CloudEvents 1.0 envelope: {error}") from error
    when, data = parsed.get_time(), parsed.get_data()
    if when is None or when.utcoffset() is None:
        raise InvalidEvent("naive_time", f"time {raw['time']!r} has no time zone")
    attributes = parsed.get_attributes()
    try:
        return Event(
            id=attributes["id"],
            source=attributes["source"],
            type=attributes["type"],
            subject=attributes.get("subject") or "",
            time=when,
            data=data,
            extensions={name: str(value) for name, value in attributes.items() if name not in _CORE},
        )
    except ValidationError as error:
        raise InvalidEvent("schema_violation", _first(error)) from error


def _first(error: ValidationError) -> str:
    fault = error.errors()[0]
    return f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _refuse_unfit(value: object, reason: str = "schema_violation", depth: int = 0) -> None:
    """NaN and Infinity have no JSON form (but `1e999` is read as one); NUL and half a surrogate pair have none in Postgres, a whole
    number beyond 64 bits none in most readers: such an event would fail again at every write, so it is refused before it is sent or taken in."""
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidEvent(reason, "NaN and Infinity do not belong into an event")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise InvalidEvent(reason, "whole numbers beyond 64 bits do not belong into an event")
    if depth > MAX_DEPTH:
        raise InvalidEvent(reason, f"more than {MAX_DEPTH} objects and lists inside each other do not belong into an event")
    if isinstance(value, str) and _UNFIT.search(value):
        raise InvalidEvent(reason, "NUL characters and lone surrogates do not belong into an event")
    if isinstance(value, dict):
        for name, item in value.items():
            _refuse_unfit(name, reason, depth + 1)
            _refuse_unfit(item, reason, depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_unfit(item, reason, depth + 1)


def too_far_ahead(event: Event, now: datetime, limit: timedelta = timedelta(hours=24)) -> bool:
    """An event from more than a day in the future (platform time) has an absurd clock behind it."""
    return event.time > now + limit
