"""What the indexer cannot read on intake's topics, intake says; it must not end the indexer."""

from __future__ import annotations

import threading
from typing import cast

import pytest

from evergreen.contracts.envelope import encode
from evergreen.contracts.events import DataProcessed
from evergreen.ports.drift_reports import DriftPictures, DriftStore
from evergreen.ports.index import IndexStore
from evergreen.ports.lake import Lake
from evergreen.ports.messaging import Received
from evergreen.ports.registry import ModelRegistry
from evergreen.services import drift_evidence, index_stream
from evergreen.services.drift_evidence import DriftEvidence
from evergreen.services.index import IndexBatch
from evergreen.services.index_stream import IndexStream
from tests.support.events import NOON, event
from tests.support.tiny import tiny_spec


class Index:
    def __init__(self) -> None:
        self.batches: list[str] = []

    def run(self, batch: DataProcessed) -> None:
        self.batches.append(batch.batch_id)


UNREADABLE = [b"", b"{", encode(event("data_ingested"))]


def _defect(_body: bytes) -> None:
    raise ZeroDivisionError("a defect")


def _message(value: bytes | None) -> Received:
    return Received("topic", 0, 1, None, value, (), NOON)


def test_what_is_unreadable_is_passed_over_and_the_rest_is_indexed() -> None:
    index = Index()
    stream = IndexStream(cast(IndexBatch, index), cast(IndexStore, None), threading.Event())

    assert stream.run([*map(_message, UNREADABLE), _message(None), _message(encode(event("data_processed")))]) == set()
    assert index.batches == ["b1"]


def test_a_defect_in_reading_does_not_end_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    index = Index()
    stream = IndexStream(cast(IndexBatch, index), cast(IndexStore, None), threading.Event())
    monkeypatch.setattr(index_stream, "decode", _defect)

    assert stream.run([_message(b"x")]) == set()
    assert index.batches == []


def test_a_defect_in_reading_a_drift_does_not_end_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = (cast(DriftStore, None), cast(Lake, None), cast(ModelRegistry, None), cast(DriftPictures, None))
    evidence = DriftEvidence(*nothing, lambda _: tiny_spec())
    monkeypatch.setattr(drift_evidence, "decode", _defect)

    assert evidence.of_messages([_message(b"x")]) == ()
