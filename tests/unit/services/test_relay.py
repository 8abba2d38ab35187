"""The relay sends every row at least once, in the order of its key."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from evergreen.adapters.memory.store import MemoryStore
from evergreen.contracts.envelope import decode
from evergreen.ports.messaging import Outgoing, SendFault
from evergreen.services.relay import KEPT_OF_OVERSIZE, Relay
from tests.support.events import event

AWAY = SendFault("timed out", permanent=False)
TOO_LARGE = SendFault("too large", permanent=True)


class Broker:
    """Takes what it is not told to refuse."""

    def __init__(self) -> None:
        self.faults: dict[str, SendFault] = {}
        self.taken: list[Outgoing] = []

    def send(self, messages: Sequence[Outgoing]) -> Sequence[SendFault | None]:
        answers = [self.faults.get(_id(message)) for message in messages]
        self.taken += [message for message, fault in zip(messages, answers, strict=True) if fault is None]
        return answers


def _id(message: Outgoing) -> str:
    return decode(message.value or b"").id if message.topic != "dead.letter" else "letter"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def broker() -> Broker:
    return Broker()


def publish(store: MemoryStore, *names: str) -> None:
    """`a1` is the first event of key `a`."""
    with store.transaction() as tx:
        tx.outbox.publish_all([event("service_recovered", event_id=name, subject=name[0]) for name in names])


def ids(messages: Sequence[Outgoing]) -> list[str]:
    return [_id(message) for message in messages]


def test_what_was_acknowledged_is_not_sent_again(store: MemoryStore, broker: Broker) -> None:
    publish(store, "a1", "b1", "a2")
    relay = Relay(store, broker)

    assert relay.run() == (3, 0)
    assert relay.run() == (0, 0)
    assert ids(broker.taken) == ["a1", "b1", "a2"]


def test_behind_a_fault_its_key_goes_again_in_order_and_others_go_on(store: MemoryStore, broker: Broker) -> None:
    publish(store, "a1", "b1", "a2", "b2")
    broker.faults["a1"] = AWAY
    relay = Relay(store, broker)

    assert relay.run() == (2, 2)
    broker.faults.clear()
    assert relay.run() == (2, 0)
    assert ids(broker.taken)[-2:] == ["a1", "a2"]


def test_a_crash_before_the_mark_sends_the_same_bytes_again(store: MemoryStore, broker: Broker) -> None:
    publish(store, "a1")
    with store.transaction() as tx:
        broker.send(tx.outbox.unsent(10))  # and then the process is gone

    Relay(store, broker).run()

    first, second = broker.taken
    assert (first.key, first.value) == (second.key, second.value)


def test_what_no_broker_takes_is_kept_in_part(store: MemoryStore, broker: Broker) -> None:
    with store.transaction() as tx:
        tx.outbox.dead_letter(b"k", b"x" * 9_000_000, {"reason": "oversize"}, (("theirs", b"y" * 9_000_000),))
    broker.faults["letter"] = TOO_LARGE
    relay = Relay(store, broker)

    assert relay.run() == (0, 1)
    broker.faults.clear()
    assert relay.run() == (1, 0)
    (letter,) = broker.taken
    assert letter.value == b"x" * KEPT_OF_OVERSIZE
    assert letter.headers == (("reason", b"oversize"), ("shortened_from", b"9000000"))
