"""`evergreen events publish`: whatever is typed, an answer that says what to write instead."""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from evergreen.adapters import kafka
from evergreen.cli import context, events
from evergreen.contracts.envelope import decode, encode
from evergreen.core.clock import FixedClock
from evergreen.core.errors import EvergreenError
from evergreen.ports.messaging import Outgoing
from tests.support.events import NOON, event


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Outgoing]:
    """What a broker that takes everything was given."""
    taken: list[Outgoing] = []

    def send(messages: Sequence[Outgoing]) -> list[None]:
        taken.extend(messages)
        return [None] * len(messages)

    monkeypatch.setattr(context, "parts", lambda: SimpleNamespace(clock=FixedClock(NOON), settings=SimpleNamespace(kafka=None)))
    monkeypatch.setattr(kafka, "KafkaMessenger", lambda _: SimpleNamespace(send=send))
    return taken


def publish(topic: str, said: str | dict[str, Any], *more: str, given: bytes | None = None) -> Result:
    return CliRunner().invoke(events.app, ["publish", topic, said if isinstance(said, str) else json.dumps(said), *more], input=given)


def whole(event_type: str, **changes: Any) -> str:
    return encode(event(event_type, **changes)).decode()


def test_flat_json_and_a_whole_event_are_published(sent: list[Outgoing]) -> None:
    assert publish("data.ingested", event("data_ingested").data).exit_code == 0
    assert publish("data.ingested", whole("data_ingested", event_id="mine")).exit_code == 0
    assert publish("data.ingested", "-", given=whole("data_ingested", event_id="piped").encode()).exit_code == 0

    said = [decode(message.value or b"") for message in sent]
    assert [one.data for one in said] == [event("data_ingested").data] * 3
    assert [one.id for one in said][1:] == ["mine", "piped"]


@pytest.mark.parametrize(
    ("topic", "said", "more", "why"),
    [
        pytest.param("data.ingested", {"event_id": "x" * 65}, (), "id: String should have at most 64 characters", id="long-id"),
        pytest.param("data.ingested", {"key": "x" * 257}, (), "subject: String should have at most 256 characters", id="long-key"),
        pytest.param("data.ingested", {"dataset": "x" * 257}, (), "subject: String should have at most 256 characters", id="long-dataset"),
        pytest.param("data.ingested", {}, ("--source", ""), "source: String should have at least 1 character", id="no-source"),
        pytest.param("data.ingested", {"event_id": "\ud800"}, (), "id: Input should be a valid string", id="half-a-surrogate-pair"),
        pytest.param("data.ingested", {"event_type": ["a"]}, (), "event_type ['a'] is no text", id="type-is-a-list"),
        pytest.param("data.ingested", "[" * 100_000, (), "not JSON", id="too-deep"),
        pytest.param("data.ingested", "\udcff", (), "not JSON", id="not-utf8"),
        pytest.param("data.processed", whole("data_ingested"), (), "data.processed does not carry 'data_ingested'", id="whole-event-on-another-topic"),
        pytest.param("dead.letter", whole("data_ingested"), (), "no topic 'dead.letter' to publish on", id="whole-event-on-the-dead-letters"),
        pytest.param("data.nothing", whole("data_ingested"), (), "no topic 'data.nothing' to publish on", id="whole-event-on-no-topic"),
    ],
)
def test_what_cannot_be_published_is_an_error_that_says_why(
    sent: list[Outgoing], topic: str, said: str | dict[str, Any], more: tuple[str, ...], why: str
) -> None:
    result = publish(topic, said, *more)

    assert isinstance(result.exception, EvergreenError)
    assert why in str(result.exception)
    assert sent == []


def test_bytes_that_are_no_text_are_an_error_that_says_why(sent: list[Outgoing]) -> None:
    assert "not JSON" in str(publish("data.ingested", "-", given=b"\xff").exception)
    assert sent == []
