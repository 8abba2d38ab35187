"""A run's three tasks, each called as Airflow calls it, over real Postgres: claim, carry out, ring again, say that it failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSensorTimeout, AirflowSkipException, DownstreamTasksSkipped, TaskDeferred

from evergreen.bootstrap import Parts
from evergreen.contracts.actions import Action, ActionKind, ActionStatus
from evergreen.core.errors import Fenced, NotEnoughData
from evergreen.orchestration import sensor, work
from evergreen.orchestration.recorded import RecordedActionTrigger
from evergreen.orchestration.sensor import DAGS_TEST, ActionSensor
from evergreen.ports.storage import ActionRow, ClaimedAction
from evergreen.settings import Settings
from tests.support.claims import emptied

pytestmark = pytest.mark.connected
MODEL = "video_performance"


class RunParts(Parts):
    """The real parts, with a use case that only says that it was called."""

    fails_with: Exception | None = None
    called = 0

    def use_case(self, kind: ActionKind) -> Callable[[ClaimedAction], Mapping[str, Any]]:
        return self._carry_out

    def _carry_out(self, claimed: ClaimedAction) -> Mapping[str, Any]:
        self.called += 1
        if self.fails_with is not None:
            raise self.fails_with
        with self.store.transaction(claimed.lease) as tx:
            self.carry_out.complete(tx, claimed, result={"model_version": f"{MODEL}@1"})
        return {"model_version": f"{MODEL}@1"}


@dataclass
class TaskInstance:
    """What a task tells Airflow while it runs."""

    claim: dict[str, Any] | None = None
    pushed: dict[str, Any] = field(default_factory=dict)

    def xcom_pull(self, task_ids: str) -> dict[str, Any] | None:
        return self.claim if task_ids == "claim" else None

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


@dataclass
class Bench:
    parts: RunParts
    patch: pytest.MonkeyPatch

    def action(self, kind: ActionKind = ActionKind.RETRAIN, model: str = MODEL) -> Action:
        now = self.parts.clock.now()
        action = Action(id=uuid4(), kind=kind, model=model, target=model, reason="data_drift_high", due_at=now, as_of=now, traceparent="00-aa-bb-01")
        with self.parts.store.transaction() as tx:
            tx.actions.insert(action, key=str(action.id), event_type="test", accepted_at=now)
        return action

    def claim(self, run: str, *, conf: dict[str, Any] | None = None, user: str | None = None, event: dict[str, Any] | None = None) -> dict[str, Any]:
        with DAG("retrain", schedule=None):
            opening = ActionSensor(kind=ActionKind.RETRAIN)
            opening >> BaseOperator(task_id="train_candidate") >> BaseOperator(task_id="ring_for_more")
        form = {"model": MODEL, "reason": "", **(conf or {})}
        context: Any = {"dag_run": SimpleNamespace(run_id=run, conf=conf, triggering_user_name=user), "params": form, "task": opening}
        return opening.execute(context) if event is None else opening.found(context, event)

    def carry_out(self, claim: dict[str, Any]) -> dict[str, Any]:
        """The result, whichever way the task hands it over."""
        self.ti = TaskInstance()
        task = SimpleNamespace(get_flat_relative_ids=lambda upstream: {"ring_for_more"})
        self.patch.setattr(work, "get_current_context", lambda: {"ti": self.ti, "task": task})
        self.rings = True
        try:
            return work.carry_out(claim)
        except DownstreamTasksSkipped as skipped:
            self.rings = skipped.tasks != ["ring_for_more"]
            result: dict[str, Any] = self.ti.pushed["return_value"]
            return result

    def row(self, action_id: Any) -> ActionRow:
        with self.parts.store.transaction() as tx:
            return tx.actions.require(action_id)

    def outbox(self) -> list[str]:
        with self.parts.store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute("SELECT convert_from(value, 'UTF8')::json ->> 'type' FROM outbox ORDER BY seq")
            return [row[0] for row in cursor.fetchall()]


@pytest.fixture
def bench(postgres_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Bench:
    parts = RunParts(postgres_settings)
    emptied(parts.store)
    monkeypatch.setattr(sensor, "parts", lambda: parts)
    monkeypatch.setattr(work, "parts", lambda: parts)
    return Bench(parts, monkeypatch)


def test_a_pending_action_is_claimed_at_once(bench: Bench) -> None:
    action = bench.action()
    claim = bench.claim("run-1")
    assert claim == {
        "action_id": str(action.id),
        "token": 1,
        "run_id": "run-1",
        "kind": "retrain",
        "target": MODEL,
        "traceparent": "00-aa-bb-01",
        "note": f"retrain {MODEL} · data_drift_high, caused by the tick · action {action.id}",
    }
    assert bench.row(action.id).status is ActionStatus.CLAIMED


def test_a_repeated_claim_of_a_run_is_the_same(bench: Bench) -> None:
    bench.action(model="a"), bench.action(model="b")
    assert bench.claim("run-1") == bench.claim("run-1")


def test_a_rung_run_with_nothing_to_claim_skips_the_rest_and_is_green(bench: Bench) -> None:
    bench.action()
    bench.claim("run-1")
    with pytest.raises(DownstreamTasksSkipped) as skipped:
        bench.claim("run-2")
    assert skipped.value.tasks == ["ring_for_more", "train_candidate"]


def test_what_a_person_asks_for_is_recorded_and_claimed_before_what_waits(bench: Bench) -> None:
    waiting = bench.action(model="another")
    claim = bench.claim("manual__1", conf={"model": MODEL, "reason": "new labels"}, user="operator")
    row = bench.row(claim["action_id"])
    assert row.action.id != waiting.id
    assert (row.action.reason, row.action.params) == ("manual", {"reason": "new labels", "requested_by": "operator"})
    assert claim["note"].startswith(f"retrain {MODEL} · manual, caused by operator: new labels")
    assert bench.outbox() == ["action_requested"]


def test_a_person_without_a_reason_is_refused_and_nothing_is_recorded(bench: Bench) -> None:
    with pytest.raises(AirflowFailException, match="reason is required"):
        bench.claim("manual__1", conf={"model": MODEL}, user="operator")
    assert bench.outbox() == []


def test_a_cleared_run_of_a_person_does_not_do_it_again(bench: Bench) -> None:
    conf = {"model": MODEL, "reason": "new labels"}
    bench.carry_out(bench.claim("manual__1", conf=conf))
    with pytest.raises(DownstreamTasksSkipped):
        bench.claim("manual__1", conf=conf)
    assert bench.parts.called == 1


def test_dags_test_needs_no_reason(bench: Bench) -> None:
    claim = bench.claim("manual__1", conf={"model": MODEL}, user=DAGS_TEST)
    assert bench.row(claim["action_id"]).action.params["reason"] == "airflow dags test"


def test_only_dags_test_waits_for_kafka(bench: Bench) -> None:
    with pytest.raises(TaskDeferred) as deferred:
        bench.claim("manual__1", user=DAGS_TEST)
    assert isinstance(deferred.value.trigger, RecordedActionTrigger)
    assert deferred.value.timeout > timedelta(seconds=deferred.value.trigger.seconds)
    with pytest.raises(DownstreamTasksSkipped):
        bench.claim("run-1")


def test_a_recorded_action_unknown_here_is_taken_from_its_event(bench: Bench) -> None:
    now = bench.parts.clock.now()
    action = Action(id=uuid4(), kind=ActionKind.RETRAIN, model=MODEL, target=MODEL, reason="bootstrap", due_at=now, as_of=now)
    claim = bench.claim("manual__1", user=DAGS_TEST, event={"action": action.model_dump_json()})
    assert bench.row(action.id).action == action
    assert claim["action_id"] == str(action.id)
    assert claim == bench.claim("manual__1", user=DAGS_TEST, event={"action": action.model_dump_json()})


def test_nothing_recorded_is_a_timeout(bench: Bench) -> None:
    with pytest.raises(AirflowSensorTimeout, match="no open action_requested of kind retrain"):
        bench.claim("manual__1", user=DAGS_TEST, event={"action": None})


def test_work_ends_the_action_and_spares_the_ring_when_nothing_waits(bench: Bench) -> None:
    action = bench.action()
    assert bench.carry_out(bench.claim("run-1")) == {"model_version": f"{MODEL}@1"}
    assert not bench.rings
    assert bench.row(action.id).status is ActionStatus.SUCCEEDED


def test_work_lets_the_ring_run_when_more_waits(bench: Bench) -> None:
    bench.action()
    later = bench.action()
    bench.carry_out(bench.claim("run-1"))
    assert bench.rings
    assert work.ring_again(ActionKind.RETRAIN) == 1
    assert bench.claim("run-2")["action_id"] == str(later.id)
    assert work.ring_again(ActionKind.RETRAIN) == 0


def test_work_repeated_after_the_commit_gives_the_recorded_result(bench: Bench) -> None:
    bench.action()
    claim = bench.claim("run-1")
    assert bench.carry_out(claim) == bench.carry_out(claim)
    assert bench.parts.called == 1


def test_a_zombie_skips_and_writes_nothing(bench: Bench) -> None:
    action = bench.action()
    zombie = bench.claim("run-1")
    _expire(bench, action)
    bench.claim("run-2")
    with pytest.raises(AirflowSkipException, match="no longer this run's"):
        bench.carry_out(zombie)
    bench.parts.fails_with = Fenced("lost while it worked")
    with pytest.raises(AirflowSkipException, match="lost while it worked"):
        bench.carry_out({**zombie, "token": bench.row(action.id).token})
    assert bench.row(action.id).run_id == "run-2"


def test_a_failed_run_gives_the_action_back_and_the_last_one_ends_it(bench: Bench) -> None:
    action = bench.action()
    bench.parts.fails_with = NotEnoughData("12 rows, 300 are needed")
    for attempt in (1, 2, 3):
        claim = bench.claim(f"run-{attempt}")
        with pytest.raises(NotEnoughData):
            bench.carry_out(claim)
        context: Any = {"ti": TaskInstance(claim), "exception": bench.parts.fails_with}
        work.told_failed(context)
        work.told_failed(context)
        row = bench.row(action.id)
        assert row.attempts == attempt
        assert row.error == "NotEnoughData: 12 rows, 300 are needed"
        _let_retry(bench, action)
    assert row.status is ActionStatus.FAILED
    assert bench.outbox() == ["action_failed"]


def test_a_failure_before_the_claim_is_nobodys(bench: Bench) -> None:
    context: Any = {"ti": TaskInstance(None), "exception": None}
    work.told_failed(context)


def _expire(bench: Bench, action: Action) -> None:
    _sql(bench, "UPDATE actions SET lease_until = clock_timestamp() - interval '1 second' WHERE id = %s", action)
    with bench.parts.store.transaction() as tx:
        assert len(tx.actions.expire_leases()) == 1
    _let_retry(bench, action)


def _let_retry(bench: Bench, action: Action) -> None:
    _sql(bench, "UPDATE actions SET retry_at = NULL WHERE id = %s", action)


def _sql(bench: Bench, statement: str, action: Action) -> None:
    with bench.parts.store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute(statement, (str(action.id),))
