"""The doorbell on live parts: bursts, pauses, crashes and bad bytes leave no action behind, a form starts a run too, and a person is asked."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from evergreen.bootstrap import Parts
from evergreen.contracts.actions import NO_MODEL, Action, ActionKind, ActionStatus
from evergreen.contracts.topics import ACTIONS, DEAD_LETTER
from evergreen.local_stack.home import Home
from evergreen.local_stack.processes import recorded
from evergreen.local_stack.testing import stack
from evergreen.ports.approvals import ApprovalRow
from evergreen.ports.storage import ActionRow
from tests.support.airflow_api import AirflowApi

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.timeout(600)]
KIND = ActionKind.MAINTENANCE
MODEL = "video_performance"
WORK = "keep_house"


@dataclass
class Loop:
    parts: Parts
    airflow: AirflowApi

    def ask(self, count: int) -> list[Action]:
        return [self.parts.carry_out.request(KIND, model=NO_MODEL, target=NO_MODEL, reason="manual", who="test", key=str(uuid4())) for _ in range(count)]

    def rows(self, actions: list[Action]) -> list[ActionRow]:
        return [self.row(action.id) for action in actions]

    def row(self, action_id: UUID) -> ActionRow:
        with self.parts.store.transaction() as tx:
            return tx.actions.require(action_id)

    def done(self, actions: list[Action], seconds: float) -> list[ActionRow]:
        until(lambda: all(row.status is ActionStatus.SUCCEEDED for row in self.rows(actions)), seconds, lambda: [row.status for row in self.rows(actions)])
        return self.rows(actions)

    def quiet(self, seconds: float) -> None:
        """No run is under way, and none comes of a doorbell still on its way."""
        looked: list[set[str]] = []

        def at_rest() -> bool:
            states = {run["state"] for run in self.airflow.runs(KIND)}
            looked.append(states)
            return len(looked) >= 12 and all(each <= {"success", "failed"} for each in looked[-12:])

        until(at_rest, seconds, lambda: looked[-1:])

    def kill(self, service: str) -> None:
        process = recorded(Home(self.parts.settings.home).pid_file(service))
        assert process is not None, f"{service} does not run"
        process.send_signal(signal.SIGKILL)


def until(met: Callable[[], bool], seconds: float, state: Callable[[], object]) -> None:
    pause, deadline = threading.Event(), time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, f"not within {seconds} s: {state()}"
        pause.wait(0.25)


@pytest.fixture(scope="module")
def loop() -> Iterator[Loop]:
    with stack({"postgres", "kafka", "redis", "airflow", "intake"}) as settings:
        airflow = AirflowApi(settings)
        yield Loop(Parts(settings), airflow)
        airflow.close()


def test_a_burst_of_ten_is_carried_out_one_run_each(loop: Loop) -> None:
    rows = loop.done(loop.ask(10), 120)
    assert len({row.run_id for row in rows}) == 10
    assert {row.attempts for row in rows} == {1}
    runs = {run["dag_run_id"]: run for run in loop.airflow.runs(KIND)}
    assert all(str(row.action.id) in (runs[row.run_id or ""]["note"] or "") for row in rows if runs[row.run_id or ""]["state"] == "success")


def test_what_was_asked_for_while_paused_is_done_after(loop: Loop) -> None:
    loop.quiet(60)  # a run of the burst that is still on its way to its claim would take one of ours
    loop.airflow.pause(KIND, paused=True)
    try:
        actions = loop.ask(3)
        threading.Event().wait(5)  # the doorbells go by while nobody may answer
        assert {row.status for row in loop.rows(actions)} == {ActionStatus.PENDING}
    finally:
        loop.airflow.pause(KIND, paused=False)
    loop.done(actions, 150)


@pytest.mark.parametrize("service", ["airflow-triggerer", "airflow-scheduler", "intake"])
def test_a_killed_part_loses_nothing_and_does_nothing_twice(loop: Loop, service: str) -> None:
    actions = loop.ask(2)
    loop.kill(service)
    actions += loop.ask(2)
    loop.done(actions, 300)
    assert completions(loop, actions) == {str(action.id): 1 for action in actions}


def test_a_form_starts_a_run_and_the_run_links_to_its_cause(loop: Loop) -> None:
    run = loop.airflow.trigger(KIND, {"reason": "tidy up"})
    until(lambda: loop.airflow.tasks(KIND, run).get(WORK) == "success", 60, lambda: loop.airflow.tasks(KIND, run))
    cause = loop.airflow.links(KIND, run, WORK)["Cause"] or ""
    row = loop.row(UUID(cause.partition("?action=")[2]))
    assert row.run_id == run
    assert row.action.params == {"reason": "tidy up", "requested_by": "admin"}


def test_a_form_without_a_reason_ends_red_and_does_nothing(loop: Loop) -> None:
    run = loop.airflow.trigger(KIND, {"reason": " "})
    until(lambda: loop.airflow.tasks(KIND, run).get("claim") == "failed", 60, lambda: loop.airflow.tasks(KIND, run))
    until(lambda: loop.airflow.run(KIND, run)["state"] == "failed", 60, lambda: loop.airflow.run(KIND, run))
    assert loop.airflow.tasks(KIND, run)[WORK] == "upstream_failed"
    assert loop.airflow.run(KIND, run)["note"] == "nothing was claimed: see the log of the task `claim`"


def test_bad_bytes_on_the_doorbell_go_to_the_dead_letters_and_the_next_action_runs(loop: Loop) -> None:
    marker = uuid4().hex.encode()
    producer = Producer({"bootstrap.servers": loop.parts.settings.kafka.bootstrap_servers})
    for body in (b"\xff\xfe" + marker, b'{"cut": "' + marker):
        producer.produce(ACTIONS, value=body)
    producer.flush(10)
    loop.done(loop.ask(1), 120)
    # Intake reads the topic too: each message is one letter, whoever wrote it first.
    until(lambda: len(dead_letters(loop, marker)) == 4, 30, lambda: dead_letters(loop, marker))
    letters = dead_letters(loop, marker)
    assert {headers["reason"] for headers in letters} == {"bad_utf8", "bad_json"}
    assert sorted(Counter(headers["dead_letter_id"] for headers in letters).values()) == [2, 2]


def asking(loop: Loop, seconds: float = 3600, version: int = 7) -> tuple[Action, str]:
    """An action that wants a person's word, and the run that asks for it."""
    terms = {"forced": True, "approval": {"timeout_seconds": seconds, "default": "reject"}}
    ask = loop.parts.carry_out.request
    action = ask(ActionKind.PROMOTE, model=MODEL, target=f"{MODEL}@{version}", reason="test", who="test", key=str(uuid4()), params=terms)
    until(lambda: loop.row(action.id).run_id is not None, 60, lambda: loop.row(action.id))
    run = loop.row(action.id).run_id or ""
    until(lambda: loop.airflow.tasks("promote", run)["claim"] == "awaiting_input", 60, lambda: loop.airflow.tasks("promote", run))
    return action, run


def test_a_person_rejects_and_nothing_changes_while_other_models_go_on(loop: Loop) -> None:
    action, run = asking(loop)
    question = loop.airflow.question("promote", run)
    assert question is not None
    assert question["subject"] == f"Promote {MODEL}@7?"
    assert f"/actions/{action.id}/explain" in question["body"]
    other = loop.parts.carry_out.request(ActionKind.PROMOTE, model="other", target="other@1", reason="test", who="test", key=str(uuid4()))
    until(lambda: loop.row(other.id).status is ActionStatus.FAILED, 90, lambda: loop.row(other.id))  # there is no such version: it was tried

    loop.airflow.answer("promote", run, "Reject", "not before the holidays")

    until(lambda: loop.row(action.id).status is ActionStatus.CANCELLED, 60, lambda: loop.row(action.id))
    until(lambda: loop.airflow.run("promote", run)["state"] == "success", 60, lambda: loop.airflow.run("promote", run))
    assert loop.airflow.tasks("promote", run) == {"claim": "success", "change_champion": "skipped", "ring_for_more": "skipped"}
    assert loop.airflow.run("promote", run)["note"].startswith("rejected by admin: not before the holidays")
    [answer] = answers(loop, action)
    assert (answer.answer, answer.how, answer.who, answer.comment) == ("reject", "person", "admin", "not before the holidays")


def test_a_person_approves_and_the_change_is_tried(loop: Loop) -> None:
    action, run = asking(loop)
    loop.airflow.answer("promote", run, "Approve")
    until(lambda: loop.row(action.id).status is ActionStatus.FAILED, 60, lambda: loop.row(action.id))
    assert loop.row(action.id).error == f"there is no version {MODEL}@7"
    assert [(answer.answer, answer.who) for answer in answers(loop, action)] == [("approve", "admin")]


def test_when_nobody_answers_the_default_holds(loop: Loop) -> None:
    action, _ = asking(loop, seconds=2)
    until(lambda: loop.row(action.id).status is ActionStatus.CANCELLED, 60, lambda: loop.row(action.id))
    assert [(answer.answer, answer.how) for answer in answers(loop, action)] == [("reject", "default")]


def test_a_run_ended_by_hand_while_it_waits_gives_its_action_to_another(loop: Loop) -> None:
    action, run = asking(loop)
    loop.airflow.mark("promote", run, "failed")
    until(lambda: loop.row(action.id).run_id != run or loop.row(action.id).status is ActionStatus.PENDING, 30, lambda: loop.row(action.id))
    assert loop.row(action.id).error == "its run was ended while a person was asked" or loop.row(action.id).run_id != run


def answers(loop: Loop, action: Action) -> list[ApprovalRow]:
    with loop.parts.store.transaction() as tx:
        return tx.approvals.of_action(action.id)


def completions(loop: Loop, actions: list[Action]) -> dict[str, int]:
    """How often each action's end was said, by what the relay sent."""
    ids = [str(action.id) for action in actions]
    with loop.parts.store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute("SELECT value FROM outbox WHERE topic = %s AND event_id IS NOT NULL", (ACTIONS,))
        said = [json.loads(bytes(value)) for (value,) in cursor.fetchall()]
    ended = [event["data"]["action_id"] for event in said if event["type"] == "action_completed"]
    return {action_id: ended.count(action_id) for action_id in ids}


def dead_letters(loop: Loop, marker: bytes) -> list[dict[str, str]]:
    """Headers of the dead letters whose value carries the marker."""
    consumer = Consumer({"bootstrap.servers": loop.parts.settings.kafka.bootstrap_servers, "group.id": uuid4().hex, "enable.partition.eof": True})
    partitions = consumer.list_topics(DEAD_LETTER, timeout=10).topics[DEAD_LETTER].partitions
    consumer.assign([TopicPartition(DEAD_LETTER, partition, OFFSET_BEGINNING) for partition in partitions])
    found, ended = [], 0
    while ended < len(partitions):
        message = consumer.poll(5)
        assert message is not None
        if message.error():
            ended += 1
        elif marker in (message.value() or b""):
            found.append({name: value.decode() for name, value in message.headers() or []})
    consumer.close()
    return found
