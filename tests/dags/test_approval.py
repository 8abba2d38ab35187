"""The claiming task of a model with `approval: manual`: it parks itself with a question, and goes on with the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.exceptions import DownstreamTasksSkipped, TaskAwaitingInput

from evergreen.adapters.memory.store import MemoryStore
from evergreen.contracts.actions import Action, ActionKind, ActionStatus
from evergreen.core.approval import Answered
from evergreen.core.clock import FixedClock
from evergreen.core.errors import Unavailable
from evergreen.orchestration import approval, listener, sensor
from evergreen.orchestration.approval import read_answer
from evergreen.orchestration.lease import from_xcom
from evergreen.orchestration.sensor import DAGS_TEST, ActionSensor
from evergreen.services.ask_approval import AskApproval
from evergreen.services.carry_out import CarryOut
from tests.support.events import MODEL, NOON

KIM = {"id": "7", "name": "kim"}
REST = ["change_champion", "ring_for_more"]


@dataclass
class TaskInstance:
    id: str = "ti-1"
    pushed: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


@dataclass
class Bench:
    store: MemoryStore = field(default_factory=MemoryStore)
    asked: list[dict[str, Any]] = field(default_factory=list)
    ti: TaskInstance = field(default_factory=TaskInstance)

    def __post_init__(self) -> None:
        self.clock = FixedClock(NOON)
        self.carry_out = CarryOut(self.store, self.clock)
        self.ask_approval = AskApproval(self.store, self.carry_out, lambda action: (f"Promote {action.target}?", "Why not."))

    @property
    def people(self) -> Bench:
        return self

    def action(self, **params: Any) -> Action:
        action = Action(id=uuid4(), kind=ActionKind.PROMOTE, model=MODEL, target=f"{MODEL}@2", params=params, reason="approved", due_at=NOON, as_of=NOON)
        with self.store.transaction() as tx:
            tx.actions.insert(action, key=str(action.id), event_type="model_evaluation_completed", accepted_at=NOON)
        return action

    def claim(self, user: str | None = None) -> dict[str, Any]:
        return self._sensor().execute(self.context(user))

    def answer(self, parked: TaskAwaitingInput, event: Mapping[str, Any]) -> dict[str, Any]:
        """As Airflow resumes it."""
        method = getattr(self._sensor(), parked.method_name)
        claim: dict[str, Any] = method(self.context(None), **(parked.kwargs or {}), event=dict(event))
        return claim

    def context(self, user: str | None) -> Any:
        return {"dag_run": SimpleNamespace(run_id="run-1", conf=None, triggering_user_name=user), "params": {}, "task": self._sensor(), "ti": self.ti}

    def _sensor(self) -> ActionSensor:
        with DAG("promote", schedule=None):
            opening = ActionSensor(kind=ActionKind.PROMOTE)
            opening >> BaseOperator(task_id="change_champion") >> BaseOperator(task_id="ring_for_more")
        return opening

    def status(self, action: Action) -> ActionStatus:
        return self.store.tables.actions[action.id].status


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench()
    monkeypatch.setattr(sensor, "parts", lambda: made)
    monkeypatch.setattr(listener, "parts", lambda: made)
    monkeypatch.setattr(approval, "upsert_hitl_detail", lambda **question: made.asked.append(question))
    return made


def parked_on(bench: Bench) -> TaskAwaitingInput:
    with pytest.raises(TaskAwaitingInput) as parked:
        bench.claim()
    return parked.value


def chosen(option: str, user: Mapping[str, str] | None = KIM, **changes: Any) -> dict[str, Any]:
    return {"chosen_options": [option], "params_input": {}, "responded_by_user": user, "timedout": user is None, **changes}


def test_without_terms_nobody_is_asked_and_nothing_is_written(bench: Bench) -> None:
    action = bench.action()

    assert bench.claim()["action_id"] == str(action.id)
    assert bench.asked == []
    assert bench.store.tables.approvals == {}


def test_with_terms_the_task_parks_with_a_question(bench: Bench) -> None:
    action = bench.action(approval={"timeout_seconds": 600, "default": "reject"})

    parked = parked_on(bench)

    assert parked.timeout == timedelta(minutes=10)
    [question] = bench.asked
    assert (question["ti_id"], question["subject"], question["body"]) == ("ti-1", f"Promote {MODEL}@2?", "Why not.")
    assert (question["options"], question["defaults"]) == (["Approve", "Reject"], ["Reject"])
    assert list(question["params"]) == ["comment"]
    assert bench.ti.pushed["return_value"]["action_id"] == str(action.id), "links and note of the waiting run"
    assert bench.status(action) is ActionStatus.CLAIMED


def test_approved_the_run_goes_on_with_its_claim(bench: Bench) -> None:
    action = bench.action(approval={"timeout_seconds": 600, "default": "reject"})

    claim = bench.answer(parked_on(bench), chosen("Approve"))

    assert claim["action_id"] == str(action.id)
    assert bench.status(action) is ActionStatus.CLAIMED


@pytest.mark.parametrize(
    ("event", "says"),
    [
        pytest.param(chosen("Reject", params_input={"comment": " too early "}), "rejected by kim: too early", id="person"),
        pytest.param(chosen("Reject", None), "rejected by default: nobody answered in time", id="time-out"),
    ],
)
def test_rejected_the_rest_is_skipped_and_the_note_says_by_whom(bench: Bench, event: Mapping[str, Any], says: str) -> None:
    action = bench.action(approval={"timeout_seconds": 600, "default": "reject"})

    with pytest.raises(DownstreamTasksSkipped) as skipped:
        bench.answer(parked_on(bench), event)

    assert skipped.value.tasks == REST
    assert bench.status(action) is ActionStatus.CANCELLED
    assert bench.ti.pushed["return_value"]["note"].startswith(f"{says} · promote {MODEL}@2")


def test_an_answer_after_the_action_went_to_another_run_changes_nothing(bench: Bench) -> None:
    action = bench.action(approval={"timeout_seconds": 600, "default": "reject"})
    parked = parked_on(bench)
    with bench.store.transaction() as tx:
        tx.actions.retry_later(from_xcom(parked.kwargs["claim"]), error="lease expired", wait=timedelta(0))

    with pytest.raises(DownstreamTasksSkipped):
        bench.answer(parked, chosen("Approve"))

    assert bench.status(action) is ActionStatus.PENDING


def test_dags_test_is_answered_at_once_and_recorded_as_automatic(bench: Bench) -> None:
    action = bench.action(approval={"timeout_seconds": 600, "default": "reject"})

    assert bench.claim(user=DAGS_TEST)["action_id"] == str(action.id)

    [row] = bench.store.tables.approvals.values()
    assert (row.answer, row.how) == ("approve", "auto")
    assert bench.asked == []


@pytest.mark.parametrize(
    ("event", "answered"),
    [
        pytest.param(chosen("Approve"), Answered("approve", "person", "kim"), id="approved"),
        pytest.param(chosen("Approve", {"id": "7", "name": ""}), Answered("approve", "person", "7"), id="a-user-without-a-name"),
        pytest.param(chosen("Approve", None), Answered("approve", "default"), id="approved-by-default"),
        pytest.param(chosen("Reject", params_input={"comment": None}), Answered("reject", "person", "kim"), id="no-comment"),
        pytest.param({"error": "timeout", "error_type": "timeout"}, Answered("reject", "default"), id="error"),
        pytest.param(chosen("Yes"), Answered("reject", "person", "kim"), id="only-approve-approves"),
    ],
)
def test_only_a_chosen_approve_approves(event: Mapping[str, Any], answered: Answered) -> None:
    assert read_answer(event) == answered


def test_a_run_marked_by_hand_while_it_waits_gives_its_action_back(bench: Bench) -> None:
    action = bench.action(approval={"timeout_seconds": 600, "default": "reject"})
    parked_on(bench)

    listener._give_back(SimpleNamespace(dag_id="promote", run_id="run-1"))

    assert bench.status(action) is ActionStatus.PENDING


def test_the_scheduler_survives_a_postgres_that_is_away_and_other_dags_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Away:
        def run_ended(self, *_: object) -> bool:
            raise Unavailable("Postgres went away")

    looked: list[str] = []

    def parts() -> SimpleNamespace:
        looked.append("once")
        return SimpleNamespace(people=SimpleNamespace(ask_approval=Away()))

    monkeypatch.setattr(listener, "parts", parts)
    for dag in ("promote", "retrain"):
        listener._give_back(SimpleNamespace(dag_id=dag, run_id="run-1"))
    assert looked == ["once"]
