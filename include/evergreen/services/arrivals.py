"""From a message to an event that can be decided on."""

from __future__ import annotations

from datetime import datetime

from evergreen.contracts.envelope import Event, decode, too_far_ahead
from evergreen.contracts.topics import CONTROL_TOPICS, STREAM_TYPES, TOPIC_OF, payload_of
from evergreen.core.errors import InvalidEvent
from evergreen.ports.messaging import Received
from evergreen.ports.records import EventRow
from evergreen.services.decide import Arrived

EARLIEST_YEAR = 1970


def arrived_as(message: Received, now: datetime) -> Arrived | None:
    """None for telemetry, which others record. Raises InvalidEvent."""
    if message.value is None:
        raise InvalidEvent("bad_json", "the message is empty")
    event = decode(message.value)
    payload = payload_of(event)
    if event.type in STREAM_TYPES:
        return None
    topic = TOPIC_OF.get(event.type)
    if topic not in CONTROL_TOPICS:
        raise InvalidEvent("wrong_topic", f"{event.type} belongs on {topic or 'no topic: only the tick writes it'}, not on {message.topic}")
    if event.time.year < EARLIEST_YEAR:
        raise InvalidEvent("absurd_time", f"time {event.time.isoformat()} is before this product's data; at the edge of the calendar it could not be read back")
    if too_far_ahead(event, now):
        raise InvalidEvent("future_time", f"time {event.time.isoformat()} is more than 24 h after platform time {now.isoformat()}")
    # As the payload was understood: a lenient `"approved": 1.0` would break whoever reads the recorded field as what it is. The hash is over
    # the same, so that an event that says its defaults is no other than one that leaves them out, and a recorded one can be said again.
    understood = event.model_copy(update={"data": payload.model_dump(mode="json")})
    row = EventRow(
        event=understood,
        content_hash=understood.content_hash(),
        received_at=message.received_at,
        produced_at=_produced_at(event, message),
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
    )
    return Arrived(row, payload)


def _produced_at(event: Event, message: Received) -> datetime | None:
    try:
        at = datetime.fromisoformat(event.extensions["producedwall"])
    except (KeyError, ValueError):
        return message.sent_at
    return at if at.utcoffset() is not None else message.sent_at
