"""From an event through its decision to the message somebody reads, and to the word that it is over."""

from __future__ import annotations

from evergreen.adapters.memory.notifications import MemoryNotifyStore
from evergreen.contracts.envelope import decode
from tests.support.alerts import NotifyBench
from tests.support.events import MODEL, event, features
from tests.support.intake_bench import Bench


def test_a_drift_is_told_in_both_languages_and_a_new_model_ends_it() -> None:
    store = MemoryNotifyStore()
    loop, told = Bench(store), NotifyBench(store)
    loop.send(event("data_drift_detected", drift_score=0.81, affected_features=features(6)))
    told.round()
    loop.send(event("model_deployed"))
    told.round()

    firing, resolved = told.received["ops"].received
    assert firing.title.en == f"[critical] Data drift: {MODEL}@1"
    assert firing.message.ko == "드리프트 점수 0.810, 영향받은 특성 6개. 조치가 필요합니다."
    assert (resolved.kind, resolved.grouping) == ("resolved", firing.grouping)
    (said,) = [decode(one.value or b"") for one in loop.outbox("system.alerts")]
    assert (said.data["drift_score"], said.data["model_version"]) == (0.81, f"{MODEL}@1")


def test_a_service_that_fails_recovers_and_fails_again_within_one_batch_is_still_failed() -> None:
    store = MemoryNotifyStore()
    loop, told = Bench(store), NotifyBench(store)
    failed = event("service_health_check_failed", service_name="redis", severity="high")
    loop.send(failed, event("service_recovered", service_name="redis"), event("service_health_check_failed", service_name="redis", severity="critical"))
    told.round()

    assert [one.kind for one in told.received["ops"].received] == ["firing", "resolved", "firing"]


def test_what_the_producer_has_told_by_itself_is_decided_and_not_told_again() -> None:
    store = MemoryNotifyStore()
    loop = Bench(store)
    failed = event("service_health_check_failed", service_name="redis", severity="high", source="/monitor")

    loop.send(failed.model_copy(update={"extensions": {"alertedby": "/monitor"}}))

    assert [row.outcome for row in loop.decisions("-")] == ["accepted"]
    assert store.tables.alerts == {}


def test_nobody_silences_what_he_did_not_tell() -> None:
    store = MemoryNotifyStore()
    loop = Bench(store)
    failed = event("service_health_check_failed", service_name="redis", severity="high", source="/app")

    loop.send(failed.model_copy(update={"extensions": {"alertedby": "/monitor"}}))

    assert len(store.tables.alerts) == 1
