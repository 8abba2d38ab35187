"""Why something was done, or was not, told from every store's rows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, cast

import pytest

from evergreen.cli.explain import told
from evergreen.contracts.actions import ActionKind
from evergreen.contracts.api_records import Explanation
from evergreen.contracts.envelope import Event, encode, new_id
from evergreen.contracts.topics import payload_of
from evergreen.core.approval import Answered
from evergreen.core.errors import NotFound, Unavailable
from evergreen.ports.approvals import ApprovalStore
from evergreen.ports.explanations import ExplanationStore
from evergreen.services.ask_approval import AskApproval
from evergreen.services.carry_out import CarryOut, request_event, resulting_event
from evergreen.services.dead_letters import DeadLetter
from evergreen.services.explain_one import Explain
from tests.support.events import MODEL, NOON, event, features
from tests.support.intake_bench import Bench

AIRFLOW = "http://airflow"


def explained(bench: Bench, name: str, letters: Iterable[DeadLetter] = ()) -> Explanation:
    return Explain(cast("ExplanationStore", bench.store), lambda: letters, AIRFLOW).run(name)


def drift(bench: Bench, **changes: Any) -> Event:
    said = event("data_drift_detected", **{"drift_score": 0.7, "affected_features": features(2), **changes})
    bench.send(said)
    return said


def test_an_action_is_told_with_its_event_its_columns_its_guards_and_its_run(bench: Bench) -> None:
    said = drift(bench)
    row = bench.claim(ActionKind.RETRAIN, "asset_triggered__2025-08-06T03:00:00+00:00_x")

    found = explained(bench, str(row.action.id))

    assert (found.about, found.says) == ("action", f"retrain of {MODEL} because of data_drift_high is claimed")
    [told_event] = found.events
    assert told_event.id == said.id
    assert (told_event.message or "").startswith("data.drift.detected[0]@")
    assert [(column.name, column.effect, column.q_value) for column in found.drifted] == [("f0", 0.3, 0.001), ("f1", 0.3, 0.001)]
    [decision] = found.decisions
    assert (decision["decision"], decision["rule"]) == (f"{MODEL}/1", "data_drift_detected.high")
    assert "cooldown" in {guard["guard"] for guard in decision["answers"][0]["guards"]}
    [fate] = found.actions
    assert fate.run_url == f"{AIRFLOW}/dags/retrain/runs/asset_triggered__2025-08-06T03%3A00%3A00%2B00%3A00_x"
    assert (fate.decision, fate.status, fate.attempts) == (f"{MODEL}/1", "claimed", 1)


def test_what_an_action_resulted_in_is_told(bench: Bench) -> None:
    drift(bench)
    row = bench.claim(ActionKind.RETRAIN)
    made = event("model_training_started", action_id=str(row.action.id))
    payload = payload_of(made)
    bench.send(resulting_event(row.action, "model_training_started", payload, subject=MODEL, time=NOON), request_event(row.action, NOON))

    [fate] = explained(bench, str(row.action.id)).actions

    assert [one.type for one in fate.results] == ["model_training_started", "action_requested"]


def test_a_suppressed_event_says_which_guard_stopped_it_and_until_when(bench: Bench) -> None:
    drift(bench)
    bench.clock.advance(timedelta(minutes=1))
    second = drift(bench, event_id=new_id(), at=NOON + timedelta(minutes=1))

    found = explained(bench, second.id)

    first = found.answers[0]
    assert (first.action, first.outcome) == ("retrain", "suppressed")
    assert (first.stopped_by, first.allowed_at) == ("cooldown", NOON + timedelta(hours=1))
    assert found.says.startswith(f"nothing was done: retrain of {MODEL}: suppressed by cooldown (retrain of severity high at")
    assert "allowed again at 2025-08-06T04:00:00" in found.says


def test_an_absorbed_event_names_the_action_that_took_it_in(bench: Bench) -> None:
    bench.send(event("data_processed", dataset="videos.US"))
    second = event("data_processed", dataset="videos.US", batch_id="b2")
    bench.send(second)

    found = explained(bench, second.id)

    [action] = found.actions
    assert [answer.outcome for answer in found.answers] == ["absorbed"]
    assert found.answers[0].action_id == action.id
    assert found.says == f"nothing was done: {found.answers[0].says}"
    assert f"absorbed by action {action.id}" in found.says


def test_an_ignored_event_says_so(bench: Bench) -> None:
    said = event("service_recovered")
    bench.send(said)

    assert "nothing was done: ignored: the policy has nothing to do for it" in explained(bench, said.id).says


def test_a_decision_is_found_by_model_and_number(bench: Bench) -> None:
    said = drift(bench)

    found = explained(bench, f"{MODEL}/1")

    assert (found.about, [one.id for one in found.events]) == ("decision", [said.id])
    assert {action.kind for action in found.actions} == {"retrain", "alert"}


def test_who_was_asked_and_what_was_answered_is_told(bench: Bench) -> None:
    drift(bench)
    store = cast("ApprovalStore", bench.store)
    carry_out = CarryOut(store, bench.clock)
    asking = AskApproval(store, carry_out, lambda _: ("Retrain?", ""))
    claimed = carry_out.claim(ActionKind.RETRAIN, "run-1")
    assert claimed is not None
    with_terms = claimed.action.model_copy(update={"params": {"approval": {"timeout_seconds": 60, "default": "reject"}}})
    question = asking.question(type(claimed)(with_terms, claimed.lease, 1))
    assert question is not None
    asking.ask(claimed, question)

    waiting = "\n".join(told(explained(bench, str(claimed.action.id))))
    asking.answer(claimed.lease, ActionKind.RETRAIN, Answered("reject", "person", "kim", "too early"))
    found = explained(bench, str(claimed.action.id))

    assert "not answered yet; reject by default" in waiting
    assert found.says == f"retrain of {MODEL} because of data_drift_high is cancelled: rejected by kim: too early"
    [approval] = found.actions[0].approvals
    assert (approval.answer, approval.how, approval.who, approval.comment) == ("reject", "person", "kim", "too early")
    assert "reject, person kim at" in "\n".join(told(found))


def test_it_reads_as_sections_for_a_person(bench: Bench) -> None:
    said = drift(bench)

    lines = told(explained(bench, said.id))

    assert [line for line in lines if line and not line.startswith(" ")][1:] == ["What happened", "What was decided", "What became of it"]
    text = "\n".join(lines)
    assert "drifted: f0 by 0.300 (q 0.001)" in text
    assert "(event: low → drift_score 0.7 > 0.6: high), rule data_drift_detected.high" in text
    assert "cooldown: passed" in text
    assert f"→ retrain of {MODEL}: accepted because of data_drift_high" in text


def _letter(value: bytes) -> DeadLetter:
    facts = {"reason": "schema_violation", "detail": "drift_score: too large", "source_topic": "data.drift.detected", "source_partition": "1"}
    return DeadLetter(0, 5, b"k", value, (), {**facts, "source_offset": "7", "dead_letter_id": "letter-1"})


def test_what_never_became_an_event_is_found_in_the_dead_letters(bench: Bench) -> None:
    poison = event("data_drift_detected")
    letters = [_letter(b"\xff"), _letter(encode(poison))]

    for name in ("letter-1", poison.id):
        found = explained(bench, name, letters)
        assert found.about == "dead_letter"
        assert "it never became an event. schema_violation: drift_score: too large (data.drift.detected[1]@7); `evergreen dlq show letter-1`" in found.says
    assert "reason: schema_violation" in "\n".join(told(found))


@pytest.mark.parametrize("name", ["e1", "0198b0a0-0000-7000-8000-000000000000", f"{MODEL}/9", "-/1", "/", "a/b", "x/99999999999999999999"])
def test_what_nobody_knows_says_where_to_look_next(bench: Bench, name: str) -> None:
    with pytest.raises(NotFound, match=r"no event, action, decision or dead letter .*evergreen events tail"):
        explained(bench, name)


def test_without_kafka_it_says_that_the_dead_letters_were_not_looked_through(bench: Bench) -> None:
    def away() -> Iterable[DeadLetter]:
        raise Unavailable("Kafka does not answer")

    with pytest.raises(NotFound, match="dead letters could not be looked through: Kafka does not answer"):
        Explain(cast("ExplanationStore", bench.store), away, AIRFLOW).run("e1")
