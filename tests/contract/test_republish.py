"""Recorded events sent again: the same ones change nothing, new ones are events of their own. Every store, a messenger by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, cast

import pytest

from evergreen.contracts.envelope import Event, decode
from evergreen.contracts.topics import payload_of
from evergreen.core.errors import PublishFailed
from evergreen.ports.event_archive import ArchiveStore, Chosen
from evergreen.ports.messaging import Outgoing, Received, SendFault
from evergreen.ports.records import EventRow
from evergreen.services.republish import MADE_HERE, UNFAITHFUL, Republish, Republished
from tests.support.events import NOON, event
from tests.support.intake_bench import Bench

HOUR = timedelta(hours=1)


@dataclass
class Kafka:
    """Takes `room` messages, then no more."""

    room: int = 1_000_000
    taken: list[Outgoing] = field(default_factory=list)

    def send(self, messages: Sequence[Outgoing]) -> Sequence[SendFault | None]:
        faults: list[SendFault | None] = []
        for message in messages:
            fits = len(self.taken) < self.room
            self.taken += [message] * fits
            faults.append(None if fits else SendFault("timed out", permanent=False))
        return faults

    @property
    def events(self) -> list[Event]:
        return [decode(message.value or b"") for message in self.taken]

    def received(self) -> list[Received]:
        return [Received(one.topic, 0, 1000 + place, one.key, one.value, one.headers, NOON) for place, one in enumerate(self.taken)]


def again(bench: Bench, kafka: Kafka | None, chosen: Chosen | None = None, *, new_ids: bool = False, told: Any = None) -> Republished:
    republish = Republish(cast("ArchiveStore", bench.store), kafka, new_ids=new_ids)
    return republish.run(chosen or Chosen(), *([told] if told else []))


def recorded(bench: Bench) -> list[Event]:
    seoul = timezone(timedelta(hours=9))
    said = [
        event("data_processed", at=NOON),
        event("data_drift_detected", at=(NOON + HOUR).astimezone(seoul), drift_score=0.7),
        event("service_recovered", at=NOON + 2 * HOUR),
    ]
    bench.clock.advance(3 * HOUR)
    bench.send(*said)
    return said


def test_the_same_events_are_known_and_change_nothing(bench: Bench) -> None:
    said = recorded(bench)
    before = [row.body for row in bench.decisions()], len(bench.due()), len(bench.outbox("mlops.actions"))
    kafka = Kafka()

    done = again(bench, kafka)

    assert (done.matched, done.sent) == (3, 3)
    assert [one.id for one in kafka.events] == [one.id for one in said]
    assert [message.topic for message in kafka.taken] == ["data.processed", "data.drift.detected", "system.health"]
    taken = bench.take_in.run(kafka.received())
    assert (taken.new, taken.repeated, taken.poison) == (0, 3, {}), "also one said in another time zone"
    assert ([row.body for row in bench.decisions()], len(bench.due()), len(bench.outbox("mlops.actions"))) == before


def test_without_a_messenger_nothing_goes_out_and_everything_is_told(bench: Bench) -> None:
    said = recorded(bench)
    told: list[str] = []

    done = again(bench, None, told=lambda _done, one: told.append(one.id))

    assert (done.matched, done.sent) == (3, 0)
    assert told == [one.id for one in said]
    assert done.types == {"data_processed": 1, "data_drift_detected": 1, "service_recovered": 1}


@pytest.mark.parametrize(
    ("chosen", "types"),
    [
        pytest.param({"types": ("data_processed", "service_recovered")}, ["data_processed", "service_recovered"], id="types"),
        pytest.param({"since": NOON + HOUR}, ["data_drift_detected", "service_recovered"], id="from-is-included"),
        pytest.param({"until": NOON + HOUR}, ["data_processed"], id="to-is-not"),
        pytest.param({"ids": ("nobody",)}, [], id="an-id-nobody-has"),
    ],
)
def test_they_are_chosen_by_type_id_and_platform_time(bench: Bench, chosen: dict[str, Any], types: list[str]) -> None:
    said = recorded(bench)

    assert list(again(bench, None, Chosen(**chosen)).types) == types
    assert list(again(bench, None, Chosen(ids=(said[1].id,))).types) == ["data_drift_detected"]


def test_with_new_ids_they_are_other_events_caused_by_the_recorded_ones(bench: Bench) -> None:
    said = recorded(bench)
    kafka = Kafka()

    again(bench, kafka, new_ids=True)

    for old, new in zip(said, kafka.events, strict=True):
        assert new.id != old.id
        assert (new.extensions["causationid"], new.source, new.time) == (old.id, old.source, old.time)
        assert payload_of(new) == payload_of(old)
        assert datetime.fromisoformat(new.extensions["producedwall"]) > NOON
    assert bench.take_in.run(kafka.received()).new == 3


def test_what_the_tick_wrote_and_what_no_longer_matches_its_hash_stays(bench: Bench) -> None:
    recorded(bench)
    spoilt = event("data_processed", batch_id="b9", at=NOON)
    timer = event("timer_due")
    with bench.store.transaction() as tx:
        tx.events.record([EventRow(spoilt, "of something else", NOON), EventRow(timer, timer.content_hash(), NOON)])
    kafka = Kafka()

    done = again(bench, kafka)

    assert done.skipped == {UNFAITHFUL: 1, MADE_HERE: 1}
    assert spoilt.id not in [one.id for one in kafka.events]
    assert (done.matched, done.sent) == (5, 3)


def test_what_kafka_does_not_acknowledge_is_named_with_what_was(bench: Bench) -> None:
    said = recorded(bench)

    with pytest.raises(PublishFailed, match=f"1 were acknowledged, data_drift_detected {said[1].id} was not: timed out; send them all again"):
        again(bench, Kafka(room=1))
    assert again(bench, None).matched == 3
