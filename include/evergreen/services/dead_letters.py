"""What a dead letter carries, and how it goes back to its topic.

The original key, value and headers stay as they came; ours stand behind them. A letter's id is made of where the message stood and
what it said, so a redelivered poison message is the same letter."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evergreen.contracts.envelope import derived_id
from evergreen.contracts.topics import CONTROL_TOPICS
from evergreen.core.errors import InvalidEvent, NotFound
from evergreen.ports.messaging import Headers, Outgoing, Received

REASON = "reason"
OURS = ("reason", "detail", "exception_class", "source_topic", "source_partition", "source_offset", "attempts", "first_seen", "dead_letter_id")


@dataclass(frozen=True)
class Poison:
    message: Received
    reason: str
    exception_class: str
    detail: str
    attempts: int = 1

    @property
    def letter_id(self) -> str:
        message = self.message
        said = hashlib.sha256(message.value or b"").hexdigest()
        return derived_id("dead_letter", message.topic, message.partition, message.offset, said)

    def headers(self) -> Mapping[str, str]:
        message = self.message
        return {
            "reason": self.reason,
            "detail": self.detail[:500].encode("utf-8", "replace").decode(),
            "exception_class": self.exception_class,
            "source_topic": message.topic,
            "source_partition": str(message.partition),
            "source_offset": str(message.offset),
            "attempts": str(self.attempts),
            "first_seen": message.received_at.isoformat(),
            "dead_letter_id": self.letter_id,
        }


@dataclass(frozen=True)
class DeadLetter:
    """As read back from the topic."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    original: Headers
    facts: Mapping[str, str]

    @property
    def id(self) -> str:
        """Ours if it has one; a letter of another writer is named by where it stands."""
        return self.facts.get("dead_letter_id") or f"{self.partition}:{self.offset}"

    @property
    def source_topic(self) -> str | None:
        """None for a letter of another writer that does not say."""
        return self.facts.get("source_topic") or None


def read_letter(message: Received) -> DeadLetter:
    """Our headers are the last of their names: the original may have had some of the same."""
    ours: dict[str, str] = {}
    original: list[tuple[str, bytes | None]] = []
    for name, value in reversed(list(message.headers)):
        if name in OURS and name not in ours and value is not None:
            ours[name] = value.decode("utf-8", "replace")
        else:
            original.append((name, value))
    return DeadLetter(message.partition, message.offset, message.key, message.value, tuple(reversed(original)), ours)


def redrive(letter: DeadLetter, *, changes: Mapping[str, Any] | None = None, value: bytes | None = None) -> Outgoing:
    """The message for its source topic: byte for byte, or with another `value`, or with fields of its JSON changed
    (`data.rows` -> 3). A control event of an unknown model was recorded under its id, so it goes back under another, the same each time.
    Raises NotFound when it does not say where it came from, InvalidEvent when there is no JSON to change."""
    topic = letter.source_topic
    if topic is None:
        raise NotFound(f"dead letter {letter.id} does not say which topic it came from")
    body = value if value is not None else letter.value
    if value is None and letter.facts.get(REASON) == "unknown_model" and topic in CONTROL_TOPICS:
        changes = {"id": derived_id("redriven", letter.id), **(changes or {})}
    if changes:
        body = _changed(body, changes)
    return Outgoing(0, topic, letter.key, body, letter.original)


def _changed(body: bytes | None, changes: Mapping[str, Any]) -> bytes:
    try:
        content = json.loads(body or b"")
    except ValueError as error:
        raise InvalidEvent("bad_json", f"the value is not JSON ({error}); give a whole one with --value") from error
    for path, new in changes.items():
        _set(content, path.split("."), new)
    return json.dumps(content, ensure_ascii=False).encode()


def _set(content: Any, path: list[str], new: Any) -> None:
    for name in path[:-1]:
        content = content.setdefault(name, {}) if isinstance(content, dict) else None
    if not isinstance(content, dict):
        raise InvalidEvent("bad_json", f"{'.'.join(path)} names no field of an object")
    content[path[-1]] = new
