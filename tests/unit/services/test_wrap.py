"""Flat JSON gets its envelope."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from evergreen.core.errors import InvalidEvent, NotFound
from evergreen.services.wrap import wrap
from tests.support.events import NOON, event


def test_id_time_and_subject_come_from_the_flat_names() -> None:
    flat = {**event("data_ingested").data, "event_id": "e1", "timestamp": "2025-08-06T12:00:00+09:00", "key": "k"}

    said = wrap("data.ingested", flat, now=lambda: NOON)

    assert (said.id, said.time, said.subject, said.type) == ("e1", datetime(2025, 8, 6, 3, tzinfo=UTC), "k", "data_ingested")
    assert said.data == event("data_ingested").data


def test_without_them_it_gets_its_own() -> None:
    said = wrap("data.drift.detected", event("data_drift_detected").data, now=lambda: NOON)

    assert (said.time, said.subject) == (NOON, "video_performance")
    assert len(said.id) == 36


def test_a_time_the_payload_has_itself_stays_in_it() -> None:
    said = wrap("system.alerts", event("system_alert").data, now=lambda: NOON, event_type="system_alert")

    assert said.data == event("system_alert").data
    assert said.time == NOON


def test_the_type_may_stand_in_the_flat_json() -> None:
    said = wrap("system.health", {"event_type": "service_recovered", "service_name": "redis"}, now=lambda: NOON)

    assert (said.type, said.subject, said.data) == ("service_recovered", "redis", {"service_name": "redis"})


@pytest.mark.parametrize(
    ("topic", "flat", "error"),
    [
        ("data.ingest", {}, NotFound),
        ("dead.letter", {}, NotFound),
        ("system.health", {}, NotFound),
        ("data.ingested", {"event_type": "service_recovered"}, NotFound),
        ("data.ingested", {"timestamp": "yesterday"}, InvalidEvent),
        ("data.ingested", {"timestamp": "2025-08-06T12:00:00"}, InvalidEvent),
    ],
)
def test_what_cannot_be_wrapped_is_refused(topic: str, flat: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error):
        wrap(topic, flat, now=lambda: NOON)
