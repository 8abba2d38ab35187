"""`evergreen dlq` among letters of other writers, without a broker."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from evergreen.cli import context, dlq
from evergreen.ports.messaging import Headers, Outgoing, Received
from evergreen.services.dead_letters import Poison
from evergreen.services.redrive import RedriveLetters
from tests.support.events import NOON


class Stack:
    """The topic of dead letters, a broker that takes everything, and what was sent back."""

    def __init__(self) -> None:
        self.messages: list[Received] = []
        self.sent: list[Outgoing] = []
        self.done: dict[str, datetime] = {}
        self.redriven = self
        self.people = SimpleNamespace(redrive_letters=RedriveLetters(self, lambda: iter(self.messages), self.send))

    def put(self, headers: Headers = (), *, offset: int | None = None, value: bytes = b"{") -> None:
        at = NOON + timedelta(seconds=len(self.messages))
        self.messages.append(Received("dead.letter", 0, len(self.messages) if offset is None else offset, b"k", value, headers, at, at))

    def put_poison(self, number: int, original: Headers = ()) -> str:
        poison = Poison(Received("data.ingested", 0, number, b"k", b"{", original, NOON), "bad_json", "ValueError", "not JSON")
        self.put((*original, *((name, text.encode()) for name, text in poison.headers().items())))
        return poison.letter_id

    @contextmanager
    def transaction(self) -> Iterator[Stack]:
        yield self

    def all(self) -> dict[str, datetime]:
        return self.done

    def mark(self, letter_id: str, _topic: str, *, changed: bool, who: str, reason: str) -> None:
        assert not changed
        assert who.startswith("cli:")
        assert reason == ""
        self.done[letter_id] = NOON

    def send(self, messages: Sequence[Outgoing]) -> list[None]:
        self.sent += messages
        return [None] * len(messages)


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Stack:
    stack = Stack()
    monkeypatch.setattr(context, "parts", lambda: stack)
    return stack


def run(*arguments: str) -> Result:
    return CliRunner().invoke(dlq.app, arguments)


def answer(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_all_sends_what_it_can_and_names_what_stays(stack: Stack) -> None:
    ours = stack.put_poison(1)
    stack.put((("why", b"?"),))

    result = run("redrive", "--all")

    assert result.exit_code == 0
    assert [message.topic for message in stack.sent] == ["data.ingested"]
    assert list(stack.done) == [ours]
    assert "0:1 stays: it does not say which topic it came from" in result.stderr


def test_one_that_cannot_go_back_is_an_error_when_it_is_named(stack: Stack) -> None:
    stack.put((("why", b"?"),))

    assert "does not say which topic it came from" in str(run("redrive", "0:0").exception)


def test_a_whole_name_is_that_letter_also_when_others_begin_with_it(stack: Stack) -> None:
    for offset in (1, 10, 11):
        stack.put(offset=offset, value=str(offset).encode())

    assert answer("show", "0:1")["value"] == "1"
    assert answer("show", "0:10")["value"] == "10"
    assert "3 dead letters named 0" in str(run("show", "0").exception)


@pytest.mark.parametrize("first", [(), (("trace", b"x"),)], ids=["without-headers-first", "with-headers-first"])
def test_two_readers_letters_of_one_message_are_one_letter_with_its_headers(stack: Stack, first: Headers) -> None:
    other: Headers = () if first else (("trace", b"x"),)

    assert stack.put_poison(1, first) == stack.put_poison(1, other)

    assert len(answer("list")) == 1
    answer("redrive", "--all")
    assert [message.headers for message in stack.sent] == [(("trace", b"x"),)]
