"""How far what somebody did is reflected in what is recommended to them: per topic, the place on Kafka of the newest of their events.

A user's events of one topic lie in one partition, in their order (the key is the user), so one offset per topic says all. As a text, for
queries and answers: `interactions:2:1841,clicks:0:77` (stream:partition:offset), each stream at most once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

STREAMS: Mapping[str, str] = {
    "business.user.interaction": "interactions",
    "business.recommendation.clicked": "clicks",
    "business.feedback.received": "feedback",
}
"""Topic -> its short name."""
PATTERN = r"^(interactions|clicks|feedback):\d{1,6}:\d{1,18}(,(interactions|clicks|feedback):\d{1,6}:\d{1,18}){0,2}$"
_FITS = re.compile(PATTERN, re.ASCII)


class Place(NamedTuple):
    partition: int
    offset: int


AsOf = Mapping[str, Place]
"""By stream; one that is not there reflects nothing of it."""


def place_of(topic: str, partition: int, offset: int) -> str:
    """Of one event. Raises KeyError for a topic that holds nothing people do."""
    return f"{STREAMS[topic]}:{partition}:{offset}"


def read_as_of(text: str) -> AsOf:
    """Raises ValueError."""
    if not text:
        return {}
    if _FITS.fullmatch(text) is None:
        raise ValueError("as_of is what POST /interactions, /clicks and /items/{item_id}/feedback answer: interactions:2:1841")
    found: dict[str, Place] = {}
    for part in text.split(","):
        stream, partition, offset = part.split(":")
        found[stream] = max(found.get(stream, Place(-1, -1)), Place(int(partition), int(offset)))
    return found


def write_as_of(as_of: AsOf) -> str:
    """Sorted: equal ones are equal texts."""
    return ",".join(f"{stream}:{place.partition}:{place.offset}" for stream, place in sorted(as_of.items()))


def reflects(known: AsOf, wanted: AsOf) -> bool:
    """Whether all that is wanted is in what is known. Another partition of the same stream cannot be compared: a topic that was made anew."""
    return all(stream in known and known[stream].partition == place.partition and known[stream].offset >= place.offset for stream, place in wanted.items())
