"""The doorbell's watchers on Airflow's own shared stream, fed by hand: who fires for what, and what becomes of hostile bytes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Hashable, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from airflow.providers.apache.kafka.triggers.shared_stream import KafkaBrokerPayload
from airflow.sdk.module_loading import import_string
from airflow.triggers.shared_stream import AdvanceItem, SharedStreamManager, SharedStreamProducer
from hypothesis import given
from hypothesis import strategies as st

from evergreen.contracts.actions import DAG_KINDS, Action, ActionKind
from evergreen.contracts.envelope import encode
from evergreen.orchestration.doorbell import Unreadable, read_message
from evergreen.orchestration.trigger import ActionTrigger, DoorbellStream, _why
from evergreen.ports.messaging import Received
from evergreen.services.carry_out import request_event
from evergreen.services.dead_letters import OURS, Poison, read_letter, redrive

NOW = datetime(2025, 7, 24, 9, tzinfo=UTC)
HOSTILE = [
    pytest.param(b"\xff\xfe\x00", "bad_utf8", id="not-utf8"),
    pytest.param(b"{", "bad_json", id="cut-short"),
    pytest.param(b"", "bad_json", id="empty"),
    pytest.param(None, "bad_json", id="tombstone"),
    pytest.param(b"[" * 100_000, "bad_json", id="nested-too-deep"),
    pytest.param(b"null", "not_cloudevents", id="null"),
    pytest.param(b'{"kind": "retrain"}', "not_cloudevents", id="flat-json"),
    pytest.param(b"x" * 300_000, "oversize", id="oversize"),
]


def asked(kind: ActionKind) -> Action:
    return Action(id=uuid4(), kind=kind, reason="test", due_at=NOW, as_of=NOW)


def doorbell(action: Action) -> bytes:
    return encode(request_event(action, NOW))


class Recorded(SharedStreamProducer):
    """Gives the messages it was made with, then stays silent; keeps how each was resolved."""

    def __init__(self, messages: Sequence[bytes | None]) -> None:
        self.messages = messages
        self.outcomes: dict[int, str] = {}
        self.resolved = asyncio.Event()

    async def open_stream(self) -> AsyncIterator[tuple[Any, int]]:
        for offset, message in enumerate(self.messages):
            yield message, offset
        await asyncio.Event().wait()

    def get_advance_lane(self, broker_payload: int) -> Hashable:
        return "lane"

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        for item in batch:
            outcome = item.outcome
            self.outcomes[item.broker_payload] = "failed" if outcome.failed else "rejected" if outcome.rejected else "acked"
        if len(self.outcomes) == len(self.messages):
            self.resolved.set()


class WatcherOfRecorded(ActionTrigger):
    stream: ClassVar[Recorded]

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> Recorded:
        return cls.stream


def run_watchers(messages: Sequence[bytes | None]) -> tuple[dict[str, list[Any]], dict[int, str]]:
    """What the eight triggers fired, by kind, and how each message was resolved, once every one was."""

    async def listen(manager: SharedStreamManager, trigger_id: int, trigger: ActionTrigger, fired: list[Any]) -> None:
        key = trigger.shared_stream_key()
        async for event in trigger.filter_shared_stream(manager.subscribe(trigger_id=trigger_id, trigger=trigger, key=key)):
            fired.append(event.payload)
            manager.confirm_persisted([seq for seq in [manager.bind_pending_event(trigger_id=trigger_id, key=key)] if seq is not None])

    async def all_of_them() -> tuple[dict[str, list[Any]], dict[int, str]]:
        WatcherOfRecorded.stream = stream = Recorded(messages)
        manager = SharedStreamManager()
        fired: dict[str, list[Any]] = {kind.value: [] for kind in DAG_KINDS}
        tasks = [asyncio.create_task(listen(manager, n, WatcherOfRecorded(kind=kind), fired[kind])) for n, kind in enumerate(fired)]
        await asyncio.wait_for(stream.resolved.wait(), 20)
        assert not any(task.done() for task in tasks), "a watcher died"
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await manager.stop_all()
        return fired, stream.outcomes

    return asyncio.run(all_of_them())


def test_each_watcher_fires_for_its_kind_with_the_action_id_alone() -> None:
    actions = [asked(kind) for kind in DAG_KINDS]
    fired, outcomes = run_watchers([doorbell(action) for action in actions])
    assert fired == {action.kind.value: [{"action_id": str(action.id)}] for action in actions}
    assert set(outcomes.values()) == {"acked"}


@pytest.mark.parametrize(("body", "reason"), HOSTILE)
def test_what_cannot_be_read_is_rejected_and_the_next_message_still_rings(body: bytes | None, reason: str) -> None:
    retrain = asked(ActionKind.RETRAIN)
    fired, outcomes = run_watchers([body, doorbell(retrain)])
    assert fired["retrain"] == [{"action_id": str(retrain.id)}]
    assert outcomes == {0: "rejected", 1: "acked"}
    said = read_message(body)
    assert isinstance(said, Unreadable)
    assert said.reason == reason


def test_an_action_of_another_schema_is_rejected() -> None:
    body = json.loads(doorbell(asked(ActionKind.RETRAIN)))
    body["data"]["action"]["kind"] = "format_disk"
    _, outcomes = run_watchers([json.dumps(body).encode()])
    assert outcomes == {0: "rejected"}


def test_completions_on_the_topic_ring_nobody() -> None:
    body = json.loads(doorbell(asked(ActionKind.RETRAIN)))
    body["type"] = "action_completed"
    body["data"] = {"action_id": str(uuid4()), "kind": "retrain", "model": "m", "run_id": "r"}
    fired, outcomes = run_watchers([json.dumps(body).encode()])
    assert not any(fired.values())
    assert outcomes == {0: "acked"}


@given(st.binary(max_size=2_000) | st.recursive(st.none() | st.booleans() | st.text(), st.lists, max_leaves=5).map(lambda value: json.dumps(value).encode()))
def test_reading_raises_nothing(body: bytes) -> None:
    assert isinstance(read_message(body), Unreadable)


def test_a_trigger_comes_back_from_its_serialized_form() -> None:
    trigger = ActionTrigger(kind="retrain")
    path, keywords = trigger.serialize()
    again = import_string(path)(**json.loads(json.dumps(keywords)))
    assert type(again) is ActionTrigger
    assert again.serialize() == trigger.serialize()
    assert again.shared_stream_key() == ActionTrigger(kind="ingest").shared_stream_key()


def test_the_stream_is_made_from_the_serialized_form() -> None:
    _, keywords = ActionTrigger(kind="retrain").serialize()
    stream = ActionTrigger.create_shared_stream_producer(keywords)
    assert isinstance(stream, DoorbellStream)
    assert stream.dlq_topic == "dead.letter"


@pytest.mark.parametrize(("body", "reason"), HOSTILE)
def test_its_dead_letter_is_the_one_intake_writes_of_the_same_message(body: bytes | None, reason: str) -> None:
    letter = read_letter(Received("dead.letter", 0, 1, b"k", body, _why(KafkaBrokerPayload("mlops.actions", 2, 7, body, b"k")), NOW))

    assert letter.id == Poison(Received("mlops.actions", 2, 7, b"k", body, (), NOW), reason, "", "").letter_id
    assert set(letter.facts) == set(OURS)
    assert (letter.source_topic, letter.facts["reason"], letter.original) == ("mlops.actions", reason, ())
    assert redrive(letter).topic == "mlops.actions"


def test_a_kind_without_a_dag_is_refused() -> None:
    with pytest.raises(ValueError, match="paint"):
        ActionTrigger(kind="paint")
