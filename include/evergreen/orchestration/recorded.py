"""What an `airflow dags test` run waits on: `mlops.actions` read from its beginning, inline.

The live triggerer never runs this: a second consumer there would share the doorbell's thread and slow it to one message per poll."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

from airflow.triggers.base import BaseTrigger, TriggerEvent
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from evergreen.contracts.actions import TERMINAL, Action, ActionKind
from evergreen.contracts.topics import ACTIONS
from evergreen.core.errors import Unavailable
from evergreen.orchestration.doorbell import Unreadable, read_message
from evergreen.orchestration.process import parts

_POLL_SECONDS = 0.5
_CONNECT_SECONDS = 10.0


class RecordedActionTrigger(BaseTrigger):
    """Fires once, `{"action": the whole action as JSON}`, for the oldest recorded `action_requested` of its kind that is not done yet;
    `{"action": None}` when none came within `seconds`."""

    def __init__(self, kind: str, seconds: float) -> None:
        super().__init__()
        self.kind = ActionKind(kind)
        self.seconds = seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{RecordedActionTrigger.__module__}.{RecordedActionTrigger.__qualname__}", {"kind": self.kind.value, "seconds": self.seconds}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        stop = threading.Event()
        try:
            action = await asyncio.wait_for(asyncio.to_thread(self._first_open, stop), self.seconds)
        except TimeoutError:
            action = None
        finally:
            stop.set()
        yield TriggerEvent({"action": None if action is None else action.model_dump_json()})

    def _first_open(self, stop: threading.Event) -> Action | None:
        servers = parts().settings.kafka.bootstrap_servers
        return next((action for action in _recorded(servers, stop) if action.kind is self.kind and not _is_done(action)), None)


def _recorded(servers: str, stop: threading.Event) -> Iterator[Action]:
    consumer = Consumer({"bootstrap.servers": servers, "group.id": f"dags-test-{uuid4()}", "enable.auto.commit": False})
    try:
        partitions = consumer.list_topics(ACTIONS, timeout=_CONNECT_SECONDS).topics[ACTIONS].partitions
        consumer.assign([TopicPartition(ACTIONS, partition, OFFSET_BEGINNING) for partition in partitions])
        while not stop.is_set():
            message = consumer.poll(_POLL_SECONDS)
            said = None if message is None or message.error() else read_message(message.value())
            if said is not None and not isinstance(said, Unreadable):
                yield said
    except KafkaException as error:
        raise Unavailable(f"Kafka at {servers} does not answer: {error}") from error
    finally:
        consumer.close()


def _is_done(action: Action) -> bool:
    with parts().store.transaction() as tx:
        row = tx.actions.get(action.id)
    return row is not None and row.status in TERMINAL
