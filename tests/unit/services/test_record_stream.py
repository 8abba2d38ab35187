"""Whatever one message of a high-volume topic breaks, it alone goes to the dead letters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from evergreen.contracts.envelope import Event, encode, new_id
from evergreen.core.clock import FixedClock
from evergreen.ports.index import IndexStore
from evergreen.ports.messaging import Received
from evergreen.services.record_stream import RecordStream
from tests.support.events import NOON
from tests.support.tiny import NAME, tiny_spec


@dataclass
class Store:
    """Takes every row and every letter; it is its own transaction."""

    rows: list[Any] = field(default_factory=list)
    letters: list[Mapping[str, str]] = field(default_factory=list)

    @contextmanager
    def transaction(self) -> Iterator[Store]:
        yield self

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        yield

    @property
    def stream(self) -> Store:
        return self

    @property
    def outbox(self) -> Store:
        return self

    def dead_letter(self, _key: bytes | None, _value: bytes | None, headers: Mapping[str, str], *_: object) -> None:
        self.letters.append(headers)

    def predictions(self, rows: Sequence[Any]) -> int:
        self.rows += rows
        return len(rows)

    feedback = metrics = exposures = predictions


def _label(outcome: Mapping[str, Any]) -> float:
    return 1.0 / float(outcome["y"])


def _message(offset: int, event_type: str, data: Mapping[str, Any]) -> Received:
    said = Event(id=new_id(), source="/test", type=event_type, subject="s", time=NOON, data=dict(data))
    return Received(event_type.replace("_", "."), 0, offset, None, encode(said), (), NOON)


def _feedback(offset: int, y: object) -> Received:
    return _message(offset, "prediction_feedback", {"model_name": NAME, "entity": "e", "outcome": {"y": y}})


def _prediction(offset: int, version: str) -> Received:
    data = {"prediction_id": "p", "model_name": NAME, "model_version": f"{NAME}@{version}", "entity": "e", "features": {}, "predicted": 1.0}
    return _message(offset, "prediction_completed", {**data, "latency_seconds": 0.1, "cached": False})


@pytest.mark.parametrize(
    ("poison", "reason", "exception"),
    [
        pytest.param(_feedback(1, 0), "handler_failed", "ZeroDivisionError", id="unforeseen"),
        pytest.param(_feedback(1, "many"), "schema_violation", "ValueError", id="no-outcome"),
        pytest.param(_prediction(1, "9" * 5_000), "handler_failed", "ValueError", id="version-of-5000-digits"),
    ],
)
def test_poison_goes_to_the_dead_letters_and_the_rest_is_recorded(poison: Received, reason: str, exception: str) -> None:
    store = Store()
    stream = RecordStream(cast(IndexStore, store), FixedClock(NOON), {NAME: replace(tiny_spec(), label_of=_label)})

    recorded = stream.run([_feedback(0, 1), poison, _prediction(2, "9" * 9)])

    assert (recorded.new, len(store.rows)) == (2, 2)
    assert list(recorded.poison) == [(poison.topic, 0, 1)]
    assert [(letter["reason"], letter["exception_class"]) for letter in store.letters] == [(reason, exception)]
