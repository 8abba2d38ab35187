"""An alert is recorded and said together, and never goes round in a circle."""

from __future__ import annotations

from datetime import timedelta

import pytest

from evergreen.adapters.memory.store import MemoryStore
from evergreen.contracts.envelope import Event, decode, derived_id
from evergreen.contracts.topics import payload_of
from evergreen.core.alerts import AlertDetails
from evergreen.ports.alerts import AlertRow
from evergreen.services.raise_alert import announcement, poisoned, policy_refused, raise_alerts, resolution, with_resolutions
from tests.support.alerts import DRIFT, alert
from tests.support.events import MODEL, NOON, event
from tests.support.intake_bench import Bench


def said(store: MemoryStore) -> list[Event]:
    with store.transaction() as tx:
        return [decode(one.value or b"") for one in tx.outbox.unsent(100) if one.topic == "system.alerts"]


def raised(*rows: AlertRow) -> MemoryStore:
    store = MemoryStore()
    _raise(store, *rows)
    return store


def _raise(store: MemoryStore, *rows: AlertRow) -> None:
    with store.transaction() as tx:
        raise_alerts(tx, rows)


def test_an_alert_is_recorded_and_said_with_its_facts() -> None:
    row = alert(event_id="e1", details=AlertDetails(event_type=DRIFT, drift_score=0.71, model_version=f"{MODEL}@1"))
    store = raised(row)

    (one,) = said(store)
    assert (one.id, one.source, one.type, one.subject, one.time) == (derived_id(row.id, "system_alert"), "/policy", "system_alert", MODEL, NOON)
    payload = payload_of(one)
    assert (payload.title, payload.severity, payload.source_event) == (row.title, "high", "e1")  # type: ignore[attr-defined]
    assert (payload.drift_score, payload.model_version, payload.timestamp) == (0.71, f"{MODEL}@1", NOON)  # type: ignore[attr-defined]
    with store.transaction() as tx:
        assert [found.id for found in tx.alerts.newest(10)] == [row.id]


def test_raised_again_it_is_recorded_and_said_once() -> None:
    row = alert()
    store = raised(row, row)
    _raise(store, row)

    assert len(said(store)) == 1


def test_when_the_step_fails_neither_happens() -> None:
    store, unfit = MemoryStore(), alert(time=NOON.replace(tzinfo=None))
    with pytest.raises(ValueError, match="timezone"):
        _raise(store, alert(), unfit)

    assert said(store) == []
    with store.transaction() as tx:
        assert tx.alerts.newest(10) == []


def test_what_a_system_alert_caused_is_recorded_and_not_said_again() -> None:
    store = raised(alert(event_type="system_alert"), alert("low", details=AlertDetails(), grouping="Disk full|system_alert"))

    assert said(store) == []
    with store.transaction() as tx:
        assert len(tx.alerts.newest(10)) == 2


def test_an_alert_never_causes_an_event_that_causes_an_alert() -> None:
    """What we say comes back through Kafka: it is decided on, and nothing follows from it."""
    bench = Bench(MemoryStore())
    bench.send(announcement(alert("critical")))

    with bench.store.transaction() as tx:
        assert tx.alerts.newest(10) == []
    assert [row.outcome for row in bench.decisions("-")] == ["ignored"]


def test_text_of_others_is_made_fit_and_short() -> None:
    one = announcement(alert(title="x" * 1_000, message="\x00\ud800" * 50_000))

    assert len(one.data["title"]) == 300
    assert len(one.data["message"]) == 4_000
    assert "\x00" not in one.data["message"]


def test_what_is_over_is_recorded_and_not_said() -> None:
    deployed, recovered = event("model_deployed"), event("service_recovered", service_name="redis")
    rows = with_resolutions([], [deployed, recovered, event("data_ingested")])
    store = raised(*rows)

    assert [row.grouping for row in rows] == [f"{MODEL}|{DRIFT}", f"{MODEL}|model_performance_degraded", "redis|service_health_check_failed"]
    assert {row.event_id for row in rows} == {deployed.id, recovered.id}
    assert said(store) == []
    with store.transaction() as tx:
        assert tx.alerts.newest(10) == []
        assert len(tx.alerts.unsettled(10)) == 3


def test_failed_recovered_and_failed_again_in_one_batch_stay_in_their_order() -> None:
    names = ("service_health_check_failed", "service_recovered", "service_health_check_failed")
    events = [event(name, service_name="redis") for name in names]
    alerts = [alert(event_source=one.source, event_id=one.id) for one in events if one.type == names[0]]
    of_no_event = alert()

    rows = with_resolutions([of_no_event, *alerts], events)
    assert [row.event_id for row in rows] == [*(one.id for one in events), None]
    assert [row.resolves for row in rows] == [False, True, False, False]


def test_the_end_of_an_incident_closes_its_alert_once() -> None:
    bench = Bench(MemoryStore())
    bench.send(event("data_quality_issue", kind="incident", severity="high"))
    over = event("data_quality_issue", kind="incident_over", severity="low")
    bench.send(over)
    bench.send(over)

    with bench.store.transaction() as tx:
        rows = tx.alerts.unsettled(10)
    groups = [f"{model}|data_quality_issue" for model in (MODEL, f"{MODEL}_us")]  # both models are fed by these lists
    assert [(row.grouping, row.resolves) for row in rows] == [(group, end) for end in (False, True) for group in groups]
    assert rows[2].title == f"[resolved] {MODEL}: data_quality_issue"
    assert {row.event_id for row in rows[2:]} == {over.id}


def test_the_same_word_of_an_end_is_recorded_once() -> None:
    one = resolution("redis|service_health_check_failed", NOON, why="it answers again", key="probe 17")
    again = resolution("redis|service_health_check_failed", NOON, why="it answers again", key="probe 17")

    assert one == again
    assert (one.model, one.event_type, one.title) == ("redis", "service_health_check_failed", "[resolved] redis: service_health_check_failed")


def test_what_has_no_event_behind_it_is_said_in_both_languages_too() -> None:
    paused, refused = poisoned(("system.health", 1), timedelta(seconds=30), NOON), policy_refused("policy.yaml:7: no such action.", "v1", NOON)
    store = raised(paused, refused, poisoned(("system.health", 1), timedelta(seconds=30), NOON))

    assert [(one.data["title"], one.data["severity"]) for one in said(store)] == [
        ("[high] Poison on system.health[1]", "high"),
        ("[high] Policy file refused", "high"),
    ]
    assert (paused.grouping, paused.event_type, refused.grouping, refused.event_type) == ("system.health|poison", "poison", "policy|refused", "policy_refused")
    assert "30초" in paused.details.message_ko
    assert refused.message == "policy.yaml:7: no such action. The running policy stays."
    assert refused.details.message_ko.startswith("policy.yaml:7")
