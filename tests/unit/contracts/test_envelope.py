"""What leaves a process through Kafka, and what is refused on the way in."""

from __future__ import annotations

import json
import math
import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from evergreen.contracts.envelope import MAX_BYTES, Event, canonical_json, decode, derived_id, encode, new_id, too_far_ahead
from evergreen.contracts.errors import InvalidEvent

WHEN = datetime(2025, 7, 24, 0, 0, 0, 123456, tzinfo=UTC)


def event(**changes: Any) -> Event:
    fields: dict[str, Any] = {
        "id": "018f3c1e-0000-7000-8000-000000000001",
        "source": "/app/web",
        "type": "prediction_feedback",
        "subject": "dQw4w9WgXcQ",
        "time": WHEN,
        "data": {"model_name": "video_performance", "entity": "영상", "outcome": {"view_count": 12}},
        "extensions": {"producedwall": "2026-01-01T00:00:00.5Z", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
    }
    return Event(**(fields | changes))


def body(**changes: Any) -> bytes:
    """A good message with some attributes replaced, or, None, left out."""
    attributes = json.loads(encode(event())) | changes
    return json.dumps({name: value for name, value in attributes.items() if value is not None}).encode()


def refusal(message: bytes) -> InvalidEvent:
    with pytest.raises(InvalidEvent) as caught:
        decode(message)
    return caught.value


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=40)
attribute = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40).filter(lambda value: bool(value.strip()))
json_value = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(text, children, max_size=3),
    max_leaves=8,
)
moments = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.sampled_from([UTC, timezone(timedelta(hours=9))]))  # noqa: DTZ001 - bounds take no zone
events = st.builds(
    Event,
    id=st.uuids().map(str),
    source=attribute.map(lambda value: f"/{value}"),
    type=st.sampled_from(["data_ingested", "model_deployed"]),
    subject=attribute,
    time=moments,
    data=st.dictionaries(text, json_value, max_size=4),
    extensions=st.dictionaries(st.sampled_from(["traceparent", "producedwall", "correlationid"]), attribute, max_size=3),
)


@given(events)
def test_what_is_written_is_read_back_the_same(original: Event) -> None:
    again = decode(encode(original))
    assert again == original
    assert again.content_hash() == original.content_hash()


@given(events)
def test_the_cloudevents_library_reads_our_bytes_and_we_read_its(original: Event) -> None:
    parsed = JSONFormat().read(CloudEvent, encode(original))
    assert (parsed.get_id(), parsed.get_source(), parsed.get_type(), parsed.get_subject()) == (original.id, original.source, original.type, original.subject)
    assert parsed.get_time() == original.time
    assert parsed.get_specversion() == "1.0"
    assert parsed.get_dataschema() == f"urn:evergreen:{original.type}/v1"
    assert decode(JSONFormat().write(parsed)) == original


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        pytest.param(b"x" * (MAX_BYTES + 1), "oversize", id="too-many-bytes"),
        pytest.param(b'{"id": "\xff\xfe"}', "bad_utf8", id="not-utf8"),
        pytest.param(b"{", "bad_json", id="cut-short"),
        pytest.param(b"", "bad_json", id="empty"),
        pytest.param(b"[" * 200_000, "bad_json", id="too-deep"),
        pytest.param(body().replace(b'"view_count": 12', b'"view_count": NaN'), "bad_json", id="nan"),
        pytest.param(body().replace(b'"view_count": 12', b'"view_count": -Infinity'), "bad_json", id="infinity"),
        pytest.param(body().replace(b'"view_count": 12', b'"view_count": 1e999'), "bad_json", id="number-read-as-infinity"),
        pytest.param(body().replace(b'"view_count": 12', b'"view_count": 9223372036854775808'), "bad_json", id="whole-number-beyond-64-bits"),
        pytest.param(body().replace(b'"view_count": 12', b'"view_count": ' + b"9" * 5_000), "bad_json", id="whole-number-of-5000-digits"),
        pytest.param(body().replace(b'"view_count": 12', b'"view_count": ' + b"[" * 980 + b"]" * 980), "bad_json", id="almost-too-deep-for-the-parser"),
        pytest.param(body().replace(b'"view_count": 12', b'"view_count": "\\u0000"'), "bad_json", id="nul-character"),
        pytest.param(body().replace(b'"view_count": 12', b'"\\ud83d": 12'), "bad_json", id="half-a-surrogate-pair"),
        pytest.param(b'{"event_id": "1", "timestamp": "2025-07-24T00:00:00Z"}', "not_cloudevents", id="flat-json"),
        pytest.param(b'["specversion", "1.0"]', "not_cloudevents", id="not-an-object"),
        pytest.param(b"null", "not_cloudevents", id="null"),
        pytest.param(body(specversion="0.3"), "not_cloudevents", id="other-version"),
        pytest.param(body(id=None), "not_cloudevents", id="no-id"),
        pytest.param(body(source=None), "not_cloudevents", id="no-source"),
        pytest.param(body(type=None), "not_cloudevents", id="no-type"),
        pytest.param(body(time="yesterday"), "not_cloudevents", id="time-not-a-time"),
        pytest.param(body(time="9999-12-31T24:00:00Z"), "not_cloudevents", id="time-after-the-calendar"),
        pytest.param(body(time="2025-07-24T00:00:00"), "naive_time", id="no-time-zone"),
        pytest.param(body(time=None), "schema_violation", id="no-time"),
        pytest.param(body(subject=None), "schema_violation", id="no-subject"),
        pytest.param(body(id="x" * 65), "schema_violation", id="id-too-long"),
        pytest.param(body(data=[1, 2]), "schema_violation", id="data-not-an-object"),
        pytest.param(body(data=None), "schema_violation", id="no-data"),
    ],
)
def test_what_is_not_one_of_our_events_is_refused_with_a_word(message: bytes, reason: str) -> None:
    assert refusal(message).reason == reason


def test_a_flat_message_is_told_how_to_become_an_event() -> None:
    assert "evergreen events publish" in str(refusal(b'{"event_id": "1"}'))


def test_the_largest_event_passes_and_one_byte_more_does_not() -> None:
    spare = MAX_BYTES - len(encode(event(data={"note": ""})))
    largest = event(data={"note": "x" * spare})
    assert len(encode(largest)) == MAX_BYTES
    assert decode(encode(largest)) == largest
    with pytest.raises(InvalidEvent) as caught:
        encode(event(data={"note": "x" * (spare + 1)}))
    assert caught.value.reason == "oversize"


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf], ids=str)
@pytest.mark.parametrize("place", [lambda n: {"a": n}, lambda n: {"a": [1.0, n]}, lambda n: {"a": {"b": (n,)}}], ids=["field", "list", "nested-tuple"])
def test_a_number_without_a_json_form_cannot_be_sent(number: float, place: Any) -> None:
    with pytest.raises(InvalidEvent, match="NaN and Infinity") as caught:
        encode(event(data=place(number)))
    assert caught.value.reason == "schema_violation"


@pytest.mark.parametrize(
    "changes", [{"data": {"title": "a\x00b"}}, {"data": {"\ud83d": 1}}, {"subject": "\x00"}, {"extensions": {"producedwall": "\x00"}}], ids=repr
)
def test_text_the_database_cannot_hold_cannot_be_sent(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidEvent, match="NUL characters") as caught:
        encode(event(**changes))
    assert caught.value.reason == "schema_violation"


def test_whole_surrogate_pairs_pass() -> None:
    assert decode(body().replace(b'"view_count": 12', b'"title": "\\ud83d\\ude00"')).data["outcome"] == {"title": "😀"}


def test_an_event_without_a_time_zone_cannot_be_made() -> None:
    with pytest.raises(ValidationError, match="timezone"):
        event(time=datetime(2025, 7, 24))  # noqa: DTZ001 - the point


def test_times_of_other_zones_are_the_same_instant() -> None:
    seoul = WHEN.astimezone(timezone(timedelta(hours=9)))
    assert decode(encode(event(time=seoul))).time == WHEN


def test_the_hash_is_of_what_was_said_not_of_the_stamps() -> None:
    stamped = event(extensions={"producedwall": "later"})
    assert stamped.content_hash() == event().content_hash()
    assert event(data={"entity": "other"}).content_hash() != event().content_hash()


@given(st.dictionaries(text, json_value, max_size=5))
def test_equal_values_give_equal_bytes_whatever_their_order(value: dict[str, Any]) -> None:
    shuffled = dict(reversed(list(value.items())))
    assert canonical_json(shuffled) == canonical_json(value)
    assert json.loads(canonical_json(value)) == value


def test_canonical_json_refuses_what_has_no_form() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"a": math.nan})
    with pytest.raises(TypeError, match="set does not belong into an event"):
        canonical_json({"a": {1}})


def test_a_repeated_step_makes_the_same_id() -> None:
    action = uuid.UUID(int=7)
    assert derived_id(action, "model_deployed", "video_performance") == derived_id(str(action), "model_deployed", "video_performance")
    assert derived_id("a", "bc") != derived_id("ab", "c")
    assert uuid.UUID(derived_id("x")).version == 5


def test_new_ids_are_version_7_and_different() -> None:
    made = [new_id() for _ in range(100)]
    assert len(set(made)) == 100
    assert {uuid.UUID(each).version for each in made} == {7}


def test_a_day_ahead_is_tolerated_and_not_more() -> None:
    now = WHEN - timedelta(hours=24)
    assert not too_far_ahead(event(), now)
    assert too_far_ahead(event(), now - timedelta(microseconds=1))
    assert not too_far_ahead(event(), now + timedelta(days=400))
