"""A dead letter carries its message whole, and goes back as it came or repaired."""

from __future__ import annotations

import json

import pytest

from evergreen.contracts.envelope import decode, encode
from evergreen.core.errors import InvalidEvent, NotFound
from evergreen.ports.messaging import Headers, Received
from evergreen.services.dead_letters import DeadLetter, Poison, read_letter, redrive
from tests.support.events import NOON, event


def letter(value: bytes | None = b"{", headers: Headers = (("a", b"\xff"), ("a", None)), reason: str = "bad_json") -> DeadLetter:
    poison = Poison(Received("data.ingested", 2, 7, b"\xfe", value, headers, NOON), reason, "ValueError", "not JSON")
    ours = tuple((name, text.encode()) for name, text in poison.headers().items())
    return read_letter(Received("dead.letter", 0, 1, b"\xfe", value, (*headers, *ours), NOON))


def test_it_reads_back_what_was_written() -> None:
    read = letter()

    assert (read.key, read.value, read.original) == (b"\xfe", b"{", (("a", b"\xff"), ("a", None)))
    assert read.facts["source_topic"] == "data.ingested"
    assert (read.facts["source_partition"], read.facts["source_offset"], read.facts["reason"]) == ("2", "7", "bad_json")


def test_headers_of_the_same_name_stay_the_originals_own() -> None:
    assert letter(headers=(("reason", b"theirs"), ("attempts", b"9"))).original == (("reason", b"theirs"), ("attempts", b"9"))


def test_the_same_message_is_the_same_letter_and_another_is_not() -> None:
    assert letter().id == letter().id
    assert letter().id != letter(b"[").id


def test_unchanged_it_goes_back_byte_for_byte() -> None:
    message = redrive(letter())

    assert (message.topic, message.key, message.value, message.headers) == ("data.ingested", b"\xfe", b"{", (("a", b"\xff"), ("a", None)))


def test_a_field_is_repaired() -> None:
    broken = encode(event("data_ingested")).replace(b'"rows": 1400', b'"rows": "many"')

    repaired = redrive(letter(broken), changes={"data.rows": 3, "data.window.first_day": "2025-01-01"})

    data = decode(repaired.value or b"").data
    assert (data["rows"], data["window"]["first_day"]) == (3, "2025-01-01")


def test_a_whole_value_takes_its_place() -> None:
    assert redrive(letter(), value=b"new").value == b"new"


def test_an_event_of_an_unknown_model_goes_back_under_an_id_of_its_own() -> None:
    said = event("data_drift_detected", model_version="nobody@1")
    stranded = letter(encode(said), reason="unknown_model")

    unchanged, repaired = (decode(redrive(stranded, changes=changes).value or b"") for changes in ({}, {"data.model_version": "video_performance@1"}))

    assert unchanged.id == repaired.id != said.id
    assert (unchanged.data, repaired.data["model_version"]) == (said.data, "video_performance@1")
    assert decode(redrive(stranded, changes={"id": "mine"}).value or b"").id == "mine"
    assert redrive(stranded, value=b"whole").value == b"whole"


@pytest.mark.parametrize(("value", "changes"), [(b"{", {"a": 1}), (json.dumps({"a": 1}).encode(), {"a.b": 1}), (b"[1]", {"a": 1}), (None, {"a": 1})])
def test_what_has_no_such_field_cannot_be_repaired(value: bytes | None, changes: dict[str, int]) -> None:
    with pytest.raises(InvalidEvent):
        redrive(letter(value), changes=changes)


def test_a_letter_that_does_not_say_where_it_came_from_stays() -> None:
    foreign = read_letter(Received("dead.letter", 1, 4, None, b"x", (("why", b"?"),), NOON))

    assert foreign.id == "1:4"
    with pytest.raises(NotFound):
        redrive(foreign)
