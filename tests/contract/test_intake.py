"""Taking in on every store: once in effect, nothing lost, poison aside."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from evergreen.contracts.actions import ActionKind
from evergreen.contracts.envelope import Event, encode
from evergreen.contracts.topics import DEAD_LETTER, payload_of
from evergreen.core.rules import Policy
from evergreen.ports.messaging import Received
from evergreen.ports.records import RecordStore
from evergreen.services.dead_letters import read_letter, redrive
from evergreen.services.intake import TakeIn
from tests.support.events import MODEL, NOON, event
from tests.support.intake_bench import CATALOGUE, POLICY, Bench

# Once in effect


def test_an_announced_batch_becomes_an_ingest_that_is_rung(bench: Bench) -> None:
    announced = event("data_ingested")

    taken = bench.send(announced)

    assert taken.new == 1
    (decision,) = bench.decisions("-")
    assert (decision.event_id, decision.outcome, decision.rule) == (announced.id, "accepted", "data_ingested.any")
    (action,) = bench.due()
    assert (action.action.kind, action.action.target, action.action.params["sha256"]) == (ActionKind.INGEST, "b1", "0" * 64)
    assert [one["id"] for one in bench.requested()] == [str(action.action.id)]


def test_a_repeat_changes_nothing(bench: Bench) -> None:
    announced = event("data_ingested")
    bench.send(announced)

    again = bench.send(announced, announced)

    assert (again.new, again.repeated, again.poison) == (0, 2, {})
    assert len(bench.decisions("-")) == len(bench.due()) == len(bench.requested()) == 1


def test_a_repeat_inside_a_batch_changes_nothing(bench: Bench) -> None:
    announced = event("data_ingested")

    taken = bench.send(announced, announced)

    assert (taken.new, taken.repeated) == (1, 1)


def test_the_same_id_with_other_content_is_a_dead_letter(bench: Bench) -> None:
    bench.send(event("data_ingested", event_id="e1"))
    bench.send(event("data_ingested", event_id="e1", batch_id="b2"))

    assert bench.letters() == ["id_reused"]
    assert [row.action.target for row in bench.due()] == ["b1"]


def test_the_same_id_of_another_source_is_another_event(bench: Bench) -> None:
    taken = bench.send(event("data_ingested", event_id="e1", source="/a"), event("data_ingested", event_id="e1", source="/b", batch_id="b2"))

    assert taken.new == 2
    assert bench.letters() == []


def test_what_was_said_leniently_is_recorded_as_it_was_understood(bench: Bench) -> None:
    window = {"first_day": 1735689600, "last_day": "2025-01-07T00:00:00Z"}
    verdict = event("model_evaluation_completed", approved=0.0, rows_after_as_of=True, gates=[])
    processed = event("data_processed", rows="12", window=window, at=NOON + timedelta(minutes=1))
    drift = event("data_drift_detected", window=window, drift_score="0.2")

    assert bench.send(verdict, processed, drift).poison == {}
    assert bench.send(verdict, processed, drift).repeated == 3  # a repeat is known by what the producer said

    assert bench.send(event("data_drift_detected", severity="critical"), event("data_processed", rows=3, at=NOON + timedelta(hours=1))).new == 2
    assert json.loads(bench.decisions()[-1].body)["state"]["rows_since_refused"] == 16
    with bench.store.transaction() as tx:
        rows = [tx.events.find(one.id)[0] for one in (verdict, processed, drift)]
    said = [row.event.data for row in rows]
    assert (said[0]["approved"], said[0]["rows_after_as_of"], said[1]["rows"], said[2]["drift_score"]) == (False, 1, 12, 0.2)
    assert said[1]["window"] == said[2]["window"] == {"first_day": "2025-01-01", "last_day": "2025-01-07"}
    for row, event_ in zip(rows, (verdict, processed, drift), strict=True):
        assert payload_of(row.event) == payload_of(event_)
        assert row.content_hash == event_.model_copy(update={"data": row.event.data}).content_hash()


# Several models


def test_processed_data_is_checked_for_each_model_it_feeds(bench: Bench) -> None:
    bench.send(event("data_processed"))

    assert {row.action.model for row in bench.due()} == set(CATALOGUE)
    assert [len(bench.decisions(model)) for model in CATALOGUE] == [1, 1]


def test_data_no_model_is_trained_on_is_recorded_on_the_chain_without_model(bench: Bench) -> None:
    bench.send(event("data_processed", dataset="weather"))

    (decision,) = bench.decisions("-")
    assert (decision.rule, decision.outcome) == ("data_processed.no_model", "ignored")
    assert bench.due() == []


def test_an_unknown_model_is_an_alert_and_a_dead_letter(bench: Bench) -> None:
    bench.send(event("data_drift_detected", model_version="nobody@1", drift_score=0.9))

    assert bench.letters() == ["unknown_model"]
    assert [row.rule for row in bench.decisions("-")] == ["data_drift_detected.unknown_model"]
    with bench.store.transaction() as tx:
        assert [alert.model for alert in tx.alerts.newest(10)] == ["-"]
    assert bench.due() == []


def test_repaired_it_is_taken_in_like_any_other(bench: Bench) -> None:
    bench.send(event("data_drift_detected", model_version="nobody@1"))
    (said,) = bench.outbox(DEAD_LETTER)
    letter = read_letter(bench.message(said.value, DEAD_LETTER, said.headers))

    back = redrive(letter, changes={"data.model_version": f"{MODEL}@1"})
    taken = bench.take_in.run([bench.message(back.value, back.topic)])

    assert (taken.new, taken.poison) == (1, {})
    assert [row.rule for row in bench.decisions()] == ["data_drift_detected.low"]


# Poison


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param(b"\xff\xfe", "bad_utf8", id="bytes"),
        pytest.param(b"{", "bad_json", id="json"),
        pytest.param(None, "bad_json", id="tombstone"),
        pytest.param(b'{"drift_score": 1}', "not_cloudevents", id="flat"),
        pytest.param(b'{"a": "' + b"x" * 300_000 + b'"}', "oversize", id="oversize"),
        pytest.param(encode(event("service_recovered")).replace(b"service_recovered", b"service_revered"), "unknown_type", id="type"),
        pytest.param(encode(event("data_drift_detected")).replace(b'"drift_score": 0.2', b'"drift_score": 2.0'), "schema_violation", id="schema"),
        pytest.param(encode(event("data_drift_detected")).replace(b"Z", b""), "naive_time", id="time"),
        pytest.param(encode(event("data_drift_detected", at=NOON + timedelta(hours=24, seconds=1))), "future_time", id="future"),
        pytest.param(encode(event("timer_due")), "wrong_topic", id="what-only-the-tick-says"),
        pytest.param(b"", "bad_json", id="empty"),
    ],
)
def test_poison_goes_to_the_dead_letters_and_the_rest_goes_on(bench: Bench, value: bytes | None, reason: str) -> None:
    good = event("data_ingested")
    poison = bench.message(value, headers=[("trace", b"\xff")])

    taken = bench.take_in.run([bench.message(encode(event("service_recovered"))), poison, bench.message(encode(good))])

    assert taken.new == 2
    assert [one.reason for one in taken.poison.values()] == [reason]
    (letter,) = bench.outbox(DEAD_LETTER)
    assert (letter.key, letter.value) == (b"key", value)
    read = read_letter(Received(DEAD_LETTER, 0, 1, letter.key, letter.value, letter.headers, NOON))
    assert read.original == (("trace", b"\xff"),)
    assert {name: read.facts[name] for name in ("reason", "source_topic", "source_partition", "source_offset", "attempts")} == {
        **{"reason": reason, "source_topic": "data.drift.detected", "source_partition": "0"},
        **{"source_offset": str(poison.offset), "attempts": "1"},
    }
    assert datetime.fromisoformat(read.facts["first_seen"]) == poison.received_at


def test_redelivered_poison_is_the_same_letter(bench: Bench) -> None:
    poison = bench.message(b"{")
    bench.take_in.run([poison])
    bench.take_in.run([poison])

    assert bench.letters() == ["bad_json"]


def test_an_event_whose_handling_fails_is_retried_alone_and_the_others_are_taken(store: RecordStore) -> None:
    calls = []

    def policy() -> Policy:
        calls.append(1)
        if len(calls) in {1, 3, 4, 5}:  # the whole batch, then the second event three times
            raise ZeroDivisionError("a defect")
        return POLICY

    bench = Bench(store)
    bench.take_in = TakeIn(store, bench.clock, CATALOGUE, policy)
    events = [event("data_ingested", batch_id=f"b{number}") for number in range(3)]

    taken = bench.send(*events)

    assert taken.new == 2
    assert [(one.reason, one.exception_class, one.attempts) for one in taken.poison.values()] == [("handler_failed", "ZeroDivisionError", 3)]
    assert [row.action.target for row in bench.due()] == ["b0", "b2"]


def test_telemetry_is_left_to_those_who_record_it(bench: Bench) -> None:
    said = Event(id="m", source="/serving", type="system_metrics", subject="serving", time=NOON, data={"service_name": "serving", "metrics": {"cpu": 0.5}})

    taken = bench.send(said)

    assert (taken.new, taken.passed_over) == (0, 1)
    assert bench.decisions("-") == []
