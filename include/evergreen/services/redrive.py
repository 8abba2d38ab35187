"""Dead letters for people: which there are, one whole, and back to their topic. `evergreen dlq` and serving's `/dead-letters`.

Guarantee: a letter is marked as sent back after the broker acknowledged it, with who did it and why. Failure: not acknowledged, or this process
dies in between. Remedy: it is not marked, and sent again it is the same message: who reads it knows it by its id."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from evergreen.core.errors import NotFound, PublishFailed
from evergreen.ports.messaging import Outgoing, Received, SendFault
from evergreen.ports.redriven import RedriveStore
from evergreen.services import dead_letters
from evergreen.services.dead_letters import REASON, DeadLetter, read_letter

MOST_BYTES = 32 * 1024 * 1024
"""Of values held at once."""


@dataclass(frozen=True)
class Listed:
    letter: DeadLetter
    size: int
    """Of its value, in bytes."""
    at: datetime
    redriven_at: datetime | None


@dataclass(frozen=True)
class SentBack:
    id: str
    topic: str
    changed: bool


class RedriveLetters:
    def __init__(self, store: RedriveStore, read: Callable[[], Iterable[Received]], send: Callable[[Sequence[Outgoing]], Sequence[SendFault | None]]) -> None:
        """`read`: the topic of dead letters as it stands; `send`: one answer per message."""
        self._store = store
        self._read = read
        self._send = send

    def listed(self, limit: int, *, reason: str | None = None, waiting: bool = False) -> list[Listed]:
        """The newest, oldest first, without their values: they may be many megabytes together."""
        done = self._done()

        def wanted(letter: DeadLetter) -> bool:
            return reason in (None, letter.facts.get(REASON)) and not (waiting and letter.id in done)

        found = self._letters(wanted, whole=False)
        return [Listed(letter, size, at, done.get(letter.id)) for letter, size, at in found[-limit:]]

    def one(self, named: str) -> Listed:
        """By its id or how that begins. Raises NotFound."""
        found = {each[0].id: each for each in self._letters(lambda letter: letter.id.startswith(named), whole=True)}
        letter, size, at = found[_the_one(named, list(found))]
        return Listed(letter, size, at, self._done().get(letter.id))

    def named(self, names: Sequence[str]) -> list[DeadLetter]:
        """By their ids or how those begin, each once. Raises NotFound for the first there is none of."""
        known = [letter.id for letter, _, _ in self._letters(lambda _: True, whole=False)]
        return self._whole(dict.fromkeys(_the_one(name, known) for name in names))

    def waiting(self, limit: int, reason: str | None = None) -> list[DeadLetter]:
        """Those that were not sent back, whole, also those that do not say which topic they came from. No more than MOST_BYTES of them: the rest
        waits for the next time."""
        chosen: list[str] = []
        size = 0
        for each in self.listed(limit, reason=reason, waiting=True):
            size += each.size
            if chosen and size > MOST_BYTES:
                break
            chosen.append(each.letter.id)
        return self._whole(chosen)

    def _whole(self, ids: Iterable[str]) -> list[DeadLetter]:
        """With their values: the topic is read again, and only these are kept."""
        wanted = list(ids)
        found = {letter.id: letter for letter, _, _ in self._letters(lambda letter: letter.id in wanted, whole=True)}
        return [found[one] for one in wanted if one in found]

    def send_back(
        self, letters: Sequence[DeadLetter], *, who: str, reason: str, changes: Mapping[str, Any] | None = None, value: bytes | None = None
    ) -> tuple[list[SentBack], PublishFailed | None]:
        """What was acknowledged, and an error where that was not all. Raises NotFound, InvalidEvent: then nothing was sent."""
        outgoing = [dead_letters.redrive(letter, changes=changes, value=value) for letter in letters]
        faults = self._send(outgoing)
        pairs = zip(letters, outgoing, faults, strict=True)
        sent = [SentBack(letter.id, message.topic, message.value != letter.value) for letter, message, fault in pairs if fault is None]
        with self._store.transaction() as tx:
            for one in sent:
                tx.redriven.mark(one.id, one.topic, changed=one.changed, who=who, reason=reason)
        if len(sent) == len(letters):
            return sent, None
        why = next(fault.why for fault in faults if fault)
        return sent, PublishFailed(f"{len(letters) - len(sent)} of {len(letters)} were not acknowledged: {why}")

    def _letters(self, wanted: Callable[[DeadLetter], bool], *, whole: bool) -> list[tuple[DeadLetter, int, datetime]]:
        """Oldest first, each once. Of a topic with two readers each writes the letter, but Airflow's does not know the headers."""
        found: dict[str, tuple[DeadLetter, int, datetime]] = {}
        for message in self._read():
            letter = read_letter(message)
            if not wanted(letter):
                continue
            kept = letter if whole else replace(letter, value=None)
            new = (kept, len(letter.value or b""), message.sent_at or message.received_at)
            found[letter.id] = max(new, found.get(letter.id, new), key=lambda each: len(each[0].original))
        return sorted(found.values(), key=lambda each: (each[2], each[0].partition, each[0].offset))

    def _done(self) -> Mapping[str, datetime]:
        with self._store.transaction() as tx:
            return tx.redriven.all()


def _the_one(named: str, ids: Sequence[str]) -> str:
    found = [one for one in ids if one == named] or [one for one in ids if one.startswith(named)]
    if len(found) != 1:
        raise NotFound(f"{'no' if not found else len(found)} dead letters named {named}")
    return found[0]
